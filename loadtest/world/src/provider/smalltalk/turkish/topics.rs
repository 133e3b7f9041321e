//! Lists topics in Turkish: their stems, statements and questions. Layer: world; data only.

use super::super::phrases::Topic;

/// All Turkish topics.
pub(super) const TOPICS: &[Topic] = &[
    Topic {
        stems: &["çay", "demli", "semaver", "bardak"],
        noun: "çay",
        facts: &[
            "demlikte on beş dakika beklemeyen çaya çay demem.",
            "ince belli bardak olmayınca sanki tadı eksik kalıyor.",
            "Rize çayının kokusu daha paketi açarken belli oluyor.",
            "şekeri bırakalı üç yıl oldu, çayın tadını yeni anladım.",
        ],
        asks: &["şekerli mi içersin, sade mi?", "günde kaç bardak içiyorsun?"],
    },
    Topic {
        stems: &["kahve", "espresso", "filtre", "cezve", "latte"],
        noun: "kahve",
        facts: &[
            "kahveyi kısık ateşte pişirmeyince köpüğü tutmuyor.",
            "öğleden sonra kahve içersem gece tavanı seyrediyorum.",
            "çekirdeği evde öğütünce fark hemen anlaşılıyor.",
            "yanında küçük bir lokum varsa keyif tamam.",
        ],
        asks: &["sen nasıl içiyorsun, sütlü mü?", "evde mi yapıyorsun, dışarıda mı içiyorsun?"],
    },
    Topic {
        stems: &[
            "futbol",
            "maç",
            "derbi",
            "gol",
            "hakem",
            "fener",
            "galatasaray",
            "beşiktaş",
            "penaltı",
            "teknik direktör",
        ],
        noun: "futbol",
        facts: &[
            "son dakika golü yemek kadar can sıkan bir şey yok.",
            "hakemi konuşmaktan oyunu konuşamıyoruz.",
            "orta sahayı alan takım maçı da alıyor.",
            "tribünde izlenen maçın yerini ekran tutmuyor.",
        ],
        asks: &["dünkü maçı izleyebildin mi?", "bu sezon şampiyon kim olur?"],
    },
    Topic {
        stems: &["kitap", "kitab", "roman", "yazar", "okuyor", "okudu", "şiir", "öykü", "kütüphane"],
        noun: "kitap",
        facts: &[
            "ilk elli sayfada sarmayan romanı artık bırakıyorum.",
            "sahaftan alınan kitabın kokusu bile başka.",
            "yatmadan önce on sayfa okumak uykumu düzene soktu.",
            "çeviri kötüyse en güzel kitap bile okunmuyor.",
        ],
        asks: &["şu sıralar ne okuyorsun?", "kâğıt mı, ekran mı?"],
    },
    Topic {
        stems: &["hava", "yağmur", "güneş", "kar yağ", "rüzgâr", "rüzgar", "sıcak", "soğuk", "fırtına", "bulut"],
        noun: "hava durumu",
        facts: &[
            "şemsiyeyi aldığım gün yağmur yağmıyor, bu artık bir kural.",
            "yağmurdan sonra toprak kokusu bütün yorgunluğu alıyor.",
            "sabah mont, öğlen tişört, bu mevsim böyle geçiyor.",
            "rüzgâr kuzeyden esince bizim sokakta durulmuyor.",
        ],
        asks: &["sizin orada hava nasıl?", "yazı mı seversin, kışı mı?"],
    },
    Topic {
        stems: &["rust", "yazılım", "kod", "program", "derleyici", "bug", "python", "sunucu"],
        noun: "yazılım",
        facts: &[
            "derleyici kızdıkça ben öğreniyorum, aramız böyle düzeldi.",
            "en iyi kod, silmeye cesaret ettiğin koddur bence.",
            "testi olmayan kodu cuma günü yayına almam.",
            "hata mesajını sonuna kadar okuyan sorunun yarısını çözmüştür.",
        ],
        asks: &["sen hangi dille yazıyorsun?", "test yazmayı seviyor musun?"],
    },
    Topic {
        stems: &["müzik", "müziğ", "şarkı", "konser", "gitar", "albüm", "bağlama", "piyano", "türkü"],
        noun: "müzik",
        facts: &[
            "eski plakların cızırtısı bana huzur veriyor.",
            "yolda dinlenen şarkı hep o yolu hatırlatıyor.",
            "canlı konserde küçük hatalar bile güzel.",
            "bağlama sesi duyunca olduğum yerde duruyorum.",
        ],
        asks: &["bu aralar ne dinliyorsun?", "bir enstrüman çalıyor musun?"],
    },
    Topic {
        stems: &[
            "yemek", "yemeğ", "tarif", "mantı", "çorba", "pilav", "börek", "mutfak", "mutfağ", "dolma", "pişir",
            "baharat",
        ],
        noun: "yemek",
        facts: &[
            "soğanı iyice kavurmadan hiçbir yemek tutmuyor.",
            "mercimek çorbasına limon sıkmadan sofraya oturmam.",
            "tarife harfiyen uyunca nedense hep eksik kalıyor.",
            "mantıyı kalabalıkla sarınca daha lezzetli oluyor.",
        ],
        asks: &["senin en iyi yaptığın yemek hangisi?", "acıyla aran nasıl?"],
    },
    Topic {
        stems: &["seyahat", "gezi", "tatil", "tren", "uçak", "uçağ", "otel", "bavul", "yolculuk", "yolculuğ", "kamp"],
        noun: "seyahat",
        facts: &[
            "trenle gidince yolun kendisi de tatile dahil oluyor.",
            "plansız çıktığım yollar hep daha güzel geçti.",
            "küçük bir çanta yetiyor, gerisi fazlalık.",
            "gittiğim şehirde önce pazarı gezerim.",
        ],
        asks: &["bu yaz bir plan var mı?", "deniz mi, dağ mı?"],
    },
    Topic {
        stems: &["patron", "toplantı", "mesai", "ofis", "maaş", "işyeri", "iş yeri", "pazartesi", "müdür"],
        noun: "iş",
        facts: &[
            "yarım saatlik toplantıların çoğu tek mesajla biter.",
            "pazartesi sabahı kimseye önemli bir şey sormuyorum.",
            "evden çalışınca mesai nerede bitiyor, belli olmuyor.",
            "iyi ekip, zor işi bile çekilir kılıyor.",
        ],
        asks: &["sen evden mi çalışıyorsun?", "bugün kaç toplantın var?"],
    },
    Topic {
        stems: &["kedi", "mırıl", "tekir", "patisi"],
        noun: "kedi",
        facts: &[
            "bizim kedi klavyenin üstüne yatmadan ben çalışamıyorum.",
            "kutuyu alır, içinden çıkan oyuncağa bakmaz bile.",
            "sabahın beşinde mama isteyen bir ev arkadaşım var.",
            "kedi seni seçer, sen kediyi değil.",
        ],
        asks: &["sende kedi var mı?", "tekir mi, sarman mı?"],
    },
    Topic {
        stems: &["köpek", "köpeğ", "havlıyor", "tasma"],
        noun: "köpek",
        facts: &[
            "köpekle yürüyüşe çıkınca bütün mahalleyi tanıyorsun.",
            "kapıda bekleyişi bütün günün yorgunluğunu alıyor.",
            "eğitimi sabır istiyor ama karşılığını fazlasıyla veriyor.",
        ],
        asks: &["sen kedi tarafında mısın, köpek tarafında mı?", "günde kaç kez yürüyüşe çıkıyorsunuz?"],
    },
    Topic {
        stems: &["film", "dizi", "sinema", "oyuncu", "yönetmen", "sezon"],
        noun: "sinema",
        facts: &[
            "fragmanda filmin yarısını gösterince izlemenin anlamı kalmıyor.",
            "eski Yeşilçam filmlerini hâlâ sıkılmadan izliyorum.",
            "dizi üçüncü sezondan sonra uzatılınca tadı kaçıyor.",
            "sinemada telefon ışığı kadar sinir bozucu az şey var.",
        ],
        asks: &["son izlediğin film neydi?", "altyazı mı, dublaj mı?"],
    },
    Topic {
        stems: &["bahçe", "çiçek", "çiçeğ", "saksı", "domates", "fidan", "toprak", "toprağ"],
        noun: "bahçe işleri",
        facts: &[
            "balkonda yetişen domatesin kokusu marketinkine benzemiyor.",
            "fesleğeni fazla sulamak kurutmaktan beter.",
            "toprakla uğraşınca kafamdaki gürültü diniyor.",
        ],
        asks: &["senin balkonda neler var?", "hangi çiçeği yaşatamadın?"],
    },
    Topic {
        stems: &["oyun", "satranç", "tavla", "konsol", "okey"],
        noun: "oyun",
        facts: &[
            "tavlada zar tutmayınca ustalık pek işe yaramıyor.",
            "satrançta sabırsızlık en pahalı hata.",
            "bir el daha derken sabah oluyor, kendimi tanıyorum.",
        ],
        asks: &["tavlada kimi yenersin?", "en son hangi oyunu bitirdin?"],
    },
    Topic {
        stems: &["uyku", "uyuya", "uyudu", "yorgun", "sabahın", "alarm"],
        noun: "uyku",
        facts: &[
            "telefonu yatak odasından çıkarınca uykum düzeldi.",
            "öğlen yirmi dakikalık şekerleme insanı yeniliyor.",
            "alarmı beş kere ertelemek uykudan sayılmıyor.",
        ],
        asks: &["sen kaçta kalkıyorsun?", "gece kuşu musun, sabahçı mı?"],
    },
    Topic {
        stems: &["borsa", "dolar", "altın", "hisse", "faiz", "enflasyon", "kripto", "bitcoin", "yatırım", "zam"],
        noun: "piyasa",
        facts: &[
            "herkes alırken biraz durup beklemekte fayda var.",
            "altın yastık altında sessiz durur ama uykuyu kaçırmaz.",
            "kısa vadede haber, uzun vadede kazanç konuşuyor.",
            "kaybetmeyi göze alamadığım parayla hiçbir şey almam.",
        ],
        asks: &["sen uzun vadeci misin?", "sence bu yükseliş sürer mi?"],
    },
    Topic {
        stems: &["trafik", "trafiğ", "istanbul", "ankara", "izmir", "metro", "vapur", "şehir", "şehr", "otobüs"],
        noun: "şehir hayatı",
        facts: &[
            "vapurda simit yemeden günüm güzel geçmiyor.",
            "metro gelince mahallenin havası bir anda değişti.",
            "trafikte geçen iki saate bir kitap sığıyor.",
            "şehrin en güzel hâli pazar sabahı yedi civarı.",
        ],
        asks: &["sen işe neyle gidiyorsun?", "küçük şehirde yaşar mıydın?"],
    },
    Topic {
        stems: &["spor", "koşu", "koştu", "yürüyüş", "bisiklet", "yüzme", "antrenman", "pilates"],
        noun: "spor",
        facts: &[
            "ilk iki kilometre hep eziyet, sonrası açılıyor.",
            "bisikletle gidince yokuşların farkına varıyorsun.",
            "salona yazılmak kolay, asıl iş ikinci hafta.",
        ],
        asks: &["haftada kaç gün spor yapıyorsun?", "sabah mı koşuyorsun, akşam mı?"],
    },
    Topic {
        stems: &["yapay", "robot", "bot", "chatgpt", "model"],
        noun: "yapay zekâ",
        facts: &[
            "cevabı kendinden emin söylemesi doğru olduğu anlamına gelmiyor.",
            "angarya işleri devredince düşünmeye vakit kalıyor.",
            "bence asıl soru ne yapabildiği değil, neyi yapmaması gerektiği.",
        ],
        asks: &["sen günlük işlerde kullanıyor musun?", "sence fazla mı abartılıyor?"],
    },
    Topic {
        stems: &["tarih", "osmanlı", "müze", "roma", "antik", "savaş"],
        noun: "tarih",
        facts: &[
            "taş bir duvarın önünde durup yüzyılları düşünmek başka.",
            "Göbeklitepe bütün bildiklerimizi geriye attı.",
            "müzede acele etmek, kitabın yalnız kapağına bakmak gibi.",
        ],
        asks: &["hangi dönemde yaşamak isterdin?", "en sevdiğin müze hangisi?"],
    },
    Topic {
        stems: &["uzay", "yıldız", "gezegen", "teleskop", "mars", "gökyüzü"],
        noun: "uzay",
        facts: &[
            "köyde gökyüzüne bakınca şehirde ne kaçırdığımı anlıyorum.",
            "gördüğümüz ışığın binlerce yıl önce çıkmış olması aklımı alıyor.",
            "Mars güzel de önce şu dünyayı bir toparlasak.",
        ],
        asks: &["hiç teleskopla baktın mı?", "sence orada kimse var mı?"],
    },
    Topic {
        stems: &["ingilizce", "almanca", "dil öğren", "kelime", "gramer", "telaffuz"],
        noun: "dil öğrenmek",
        facts: &[
            "hata yapmaktan korkmayan çok daha çabuk öğreniyor.",
            "her gün on dakika, haftada bir saatten daha etkili.",
            "şarkı sözlerinden öğrendiğim kelimeleri hiç unutmuyorum.",
        ],
        asks: &["şimdi hangi dile çalışıyorsun?", "en zor gelen kısmı neydi?"],
    },
];
