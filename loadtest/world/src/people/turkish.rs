//! Lists people's lines in Turkish. Layer: world; data only.

use super::lines::{Lines, TopicLines};

/// All Turkish lines.
pub(super) const LINES: Lines = Lines {
    topics: &[
        TopicLines {
            statements: &[
                "bugün üçüncü çayı içiyorum, hâlâ uyanamadım",
                "demli çay olmadan güne başlayamıyorum",
                "yeni aldığım çay bir türlü dem tutmuyor",
            ],
            questions: &["çayı kaç dakika demliyorsunuz?", "sizce çay mı kahve mi?", "bergamotlu çay seven var mı?"],
        },
        TopicLines {
            statements: &[
                "dünkü maçta hakem oyunu mahvetti",
                "derbiyi son dakikada verdik, inanamıyorum",
                "bu sezon orta sahamız çok zayıf",
            ],
            questions: &[
                "dün akşam maçı izleyen oldu mu?",
                "sizce bu sezon kim şampiyon olur?",
                "penaltı mıydı sizce o pozisyon?",
            ],
        },
        TopicLines {
            statements: &[
                "elimdeki roman beni çok sardı, gece ikiye kadar okudum",
                "sahaftan üç kitap aldım, hepsi sararmış",
                "şiir kitabı okumayalı uzun zaman olmuş",
            ],
            questions: &[
                "bu ara hangi kitabı okuyorsunuz?",
                "tatilde okunacak bir roman önerir misiniz?",
                "kitabı yarım bırakan var mı benim gibi?",
            ],
        },
        TopicLines {
            statements: &[
                "burada yağmur bir türlü dinmedi",
                "bugün hava tam yürüyüşlük",
                "rüzgâr balkondaki saksıyı devirdi",
            ],
            questions: &[
                "sizin orada hava nasıl?",
                "hafta sonu yağmur var mı, bilen?",
                "yazı mı seviyorsunuz, kışı mı?",
            ],
        },
        TopicLines {
            statements: &[
                "Rust öğrenmeye başladım, derleyiciyle kavga ediyoruz",
                "bugün yazdığım kodun yarısını sildim",
                "sunucu yine gece yarısı düştü",
            ],
            questions: &[
                "Rust öğrenmek için nereden başlamalı?",
                "kodunuza test yazıyor musunuz?",
                "sizce yeni başlayan hangi dili öğrenmeli?",
            ],
        },
        TopicLines {
            statements: &[
                "dün akşamki konser harikaydı",
                "gitarın teli koptu, yedeği de yok",
                "eski albümleri baştan dinliyorum",
            ],
            questions: &[
                "bu aralar ne dinliyorsunuz?",
                "çalışırken müzik açan var mı?",
                "sizce en iyi yol şarkısı hangisi?",
            ],
        },
        TopicLines {
            statements: &[
                "mantı açtım, mutfak un içinde kaldı",
                "mercimek çorbası bu havada ilaç gibi",
                "pilavın altını tutturdum yine",
            ],
            questions: &["akşama ne pişirsem?", "dolmaya kuş üzümü koyar mısınız?", "acı biber olmadan yemek olur mu?"],
        },
        TopicLines {
            statements: &[
                "trenle Kars'a gitmeyi kafaya koydum",
                "bavulu hâlâ toplamadım, yarın yola çıkıyorum",
                "kampta üç gün telefonsuz kaldım, iyi geldi",
            ],
            questions: &[
                "bu yaz tatil planı olan var mı?",
                "trenle mi gidilir, uçakla mı?",
                "küçük bir sahil kasabası önerir misiniz?",
            ],
        },
        TopicLines {
            statements: &[
                "bugün dört toplantıya girdim, iş yapamadım",
                "patron cuma akşamı yeni iş çıkardı",
                "evden çalışınca mesai hiç bitmiyor",
            ],
            questions: &[
                "evden mi çalışıyorsunuz, ofisten mi?",
                "toplantıda uyanık kalmanın yolu nedir?",
                "pazartesi sendromuna çare bulan var mı?",
            ],
        },
        TopicLines {
            statements: &[
                "kedi yine klavyenin üstüne yattı",
                "bizim tekir sabah beşte mama istiyor",
                "kediye oyuncak aldım, kutusuyla oynuyor",
            ],
            questions: &[
                "kedisi olan var mı?",
                "kediyi tek başına bırakmak doğru mu?",
                "sizin kedi de geceleri koşuyor mu?",
            ],
        },
        TopicLines {
            statements: &[
                "dün izlediğim filmin sonu çok kötüydü",
                "yeni dizinin üç bölümünü art arda izledim",
                "sinemada yanımdaki bütün film konuştu",
            ],
            questions: &[
                "akşama güzel bir film önerir misiniz?",
                "dizinin yeni sezonunu izleyen var mı?",
                "altyazı mı seviyorsunuz, dublaj mı?",
            ],
        },
        TopicLines {
            statements: &["vapurla geldim, deniz çok güzeldi", "trafikte iki saat kaldım", "metro yine arıza yapmış"],
            questions: &[
                "İstanbul'da yaşanır mı artık?",
                "bu saatte trafik nasıl, bilen var mı?",
                "işe neyle gidiyorsunuz?",
            ],
        },
    ],
    replies: &[
        "aynen katılıyorum",
        "ben pek öyle düşünmüyorum açıkçası",
        "haklısın valla",
        "güldürdün beni 😂",
        "bunu hiç bilmiyordum",
        "emin misin, bana ters geldi",
        "çok doğru dedin",
        "bence de öyle ama biraz abartmışsın",
        "bunu not ettim, sağ ol",
        "nereden çıktı şimdi bu?",
        "valla aynısı bana da oldu",
        "yok artık, gerçekten mi?",
    ],
    addresses: &["{b},", "{@}", "{b} sen söyle,", "hey {b},", "{b} bak,", "{@} sana soruyorum,"],
    about_bots: &[
        "bence {b:in} söylediği doğru",
        "{b:e} katılıyorum bu konuda",
        "{b:i} dinlerseniz pişman olmazsınız",
        "bunu {b:den} duymuştum",
        "{b:e} soralım, o bilir bunu",
        "{b:in} dünkü lafı hâlâ aklımda",
        "{b} bugün pek sessiz",
        "{p}, sen {b:e} ne diyorsun?",
        "{b:den} bir yorum bekliyorum",
        "{b:in} yerinde olsam susardım 😄",
    ],
    chatter: &[
        "selam millet",
        "günaydın herkese ☀️",
        "kimse yok mu?",
        "ben geldim, ne kaçırdım?",
        "bugün çok yorgunum",
        "iyi geceler herkese",
        "hadi biraz muhabbet edelim",
        "{p}, nasılsın bugün?",
        "{p} dün neredeydin?",
        "şöyle bir ara vereyim dedim",
        "teşekkürler arkadaşlar",
        "canım sıkıldı, bir şeyler anlatın",
    ],
    openers: &["ya", "arkadaşlar", "bu arada", "valla", "açıkçası", "millet", "bakın", "yalnız", "şey", "of"],
};
