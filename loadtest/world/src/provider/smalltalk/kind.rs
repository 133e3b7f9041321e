//! Recognises the kind of a message. Layer: world; pure.

use super::heard::{last_question, options_of};
use super::words::{Language, fold, spaced, words};

macro_rules! kinds {
    ($( $(#[$about:meta])* $name:ident = $word:literal, )*) => {
        /// The kind of a message, and of the lines that answer it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(super) enum Kind { $( $(#[$about])* $name, )* }

        impl Kind {
            /// Returns the kind of that name in the files of lines.
            pub(super) fn named(word: &str) -> Option<Self> {
                match word {
                    $( $word => Some(Self::$name), )*
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    Greeting = "greeting",
    Wellbeing = "wellbeing",
    Thanks = "thanks",
    Farewell = "farewell",
    /// A question whether the speaker is a machine.
    Machine = "machine",
    /// A question that names two alternatives.
    Either = "either",
    YesNo = "yesno",
    Why = "why",
    Who = "who",
    When = "when",
    Where = "where",
    How = "how",
    /// How many, how much, how often.
    Many = "many",
    /// How long.
    Long = "long",
    /// A name or a recommendation is asked for: what, which.
    Which = "which",
    /// A question for an opinion.
    Opinion = "opinion",
    /// A doubt about what was said: "really?"
    Doubt = "doubt",
    Laugh = "laugh",
    Agree = "agree",
    Disagree = "disagree",
    Complaint = "complaint",
    Plan = "plan",
    /// Something that happened.
    Story = "story",
    /// An opinion.
    View = "view",
    /// Any other statement; also a line on the subject that fits after most answers.
    Say = "say",
    /// A request to say something about a subject.
    Open = "open",
    /// A request to come back to what was said some hours ago.
    Recall = "recall",
    /// Lines for a chosen alternative.
    Pro = "pro",
    /// The lesson for life that somebody draws from this subject.
    Wise = "wise",
    /// Questions back.
    Ask = "ask",
    /// Short agreement and disagreement in front of an answer.
    Yes = "front_yes",
    No = "front_no",
}

impl Kind {
    /// Returns whether a message of this kind asks for an answer.
    pub(super) fn is_question(self) -> bool {
        use Kind::{Either, How, Long, Many, Opinion, When, Where, Which, Who, Why, YesNo};
        matches!(self, Either | YesNo | Why | Who | When | Where | How | Many | Long | Which | Opinion)
    }

    /// Returns whether a message of this kind tells something.
    pub(super) fn is_statement(self) -> bool {
        matches!(self, Self::Complaint | Self::Plan | Self::Story | Self::View | Self::Say)
    }
}

// Phrases by which a message is told, folded; each stands at the beginning of a word.
const MACHINE: &str = "are you a bot, are you bots, are you an ai, are you ai, are you human, are you a human, \
    are you real, are you a real, are you a robot, are you a machine, are you a person, you a bot, is this a bot, \
    chatgpt, bot musun, botsun, bot musunuz, robot musun, insan misin, insan misiniz, gerçek misin, \
    gerçek bir insan, yapay zeka misin, yapay zekâ misin, makine misin";
const WELLBEING: &str = "nasilsin, nasilsiniz, ne haber, naber, keyifler nasil, nasil gidiyor, how are you, \
    how is everyone, how s everyone, how are things, what s up, how is it going, how s it going, you all right";
const THANKS: &str = "teşekkür, sağ ol, sağol, eyvallah, thanks, thank you, cheers, much appreciated, eline sağlik";
const FAREWELLS: &str = "görüşürüz, iyi geceler, hoşça kal, güle güle, ben kaçtim, ben çiktim, ben kaçar, \
    good night, goodnight, see you, bye, goodbye, have a good one, i m off, i am off, off to bed, gotta go";
const GREETINGS: &str = "selam, selamlar, merhaba, günaydin, iyi akşamlar, hello, hi, hey, good morning, \
    good evening, morning, evening all, iyi günler";
const LAUGHS: &str = "haha, hahah, ahah, lol, lmao, rofl, güldürdün, koptum, çok güldüm, gülmekten, made me laugh, \
    that is funny, i am laughing, laughing";
const AGREES: &str = "agree, exactly, same here, you are right, you re right, well said, so true, true, fair point, \
    good point, i am with, haklisin, katiliyorum, aynen, doğru dedin, çok doğru, bence de, kesinlikle, işte bu, \
    ayni fikirdeyim, doğru söylüyorsun, söylediği doğru";
const DISAGREES: &str = "disagree, not so sure, no way, nonsense, i don t think so, i do not think so, \
    not convinced, i doubt, rubbish, you are wrong, exaggerat, sounds wrong, katilmiyorum, öyle düşünmüyorum, \
    yok artik, saçma, abart, hiç de değil, yanlişsin, ters geldi, olmaz öyle, sanmiyorum";
const DOUBTS: &str = "really, are you sure, are you certain, seriously, you sure, gerçekten mi, emin misin, \
    ciddi misin, cidden mi, hadi ya, öyle mi, is that so";
const COMPLAINTS: &str = "broke, broken, ruined, too late, hate, awful, terrible, lost my, burned, burnt, stuck, \
    crashed, went down, failed, so tired, headache, annoying, hopeless, worst, no sleep, give up, talked through, \
    fed up, bozuldu, bozuk, koptu, düştü, mahvetti, yorgun, biktim, rezalet, kötüydü, uykusuz, başim ağriyor, \
    yetişemedim, kaybettik, verdik son, arizal, ariza, dinmedi, tutmuyor, yakti, yaktim, dayanamiyorum";
const PLANS: &str = "going to, i will, we will, i ll, tomorrow, want to, planning, thinking of, next week, \
    next month, this weekend, leaving, about to, yarin, istiyorum, düşünüyorum, planliyorum, kafaya koydum, \
    niyetindeyim, niyetim, gideceğim, yapacağim, alacağim, gidiyorum, çikiyoruz, haftaya, çikiyorum";
const VIEWS: &str = "i think, better, best, overrated, underrated, should, never, nothing beats, in my opinion, \
    if you ask me, too many, too much, nobody needs, everyone should, the only, bence, en iyi, en güzel, \
    gerek, olmaz, şart, daha iyi, daha güzel, bana göre, bana kalirsa, abartiliyor, hep ayni, \
    her zaman, asla, olmadan, yeter";
const STORIES: &str = "yesterday, last night, last week, last year, when i was, i saw, we went, i met, \
    this morning i, once, dün, geçen, bir keresinde, küçükken, sabah, az önce";
const OPINIONS: &str = "what do you think, what do you make of, your opinion, how do you like, your take, \
    ne düşünüyor, ne dersin, ne dersiniz, ne diyorsun, fikrin ne, fikriniz, nasil buluyor";

/// Returns the kind of a message.
pub(super) fn kind_of(text: &str, language: Language) -> Kind {
    let folded = fold(text);
    let words = words(&folded);
    let spaced = spaced(&folded);
    let has = |list: &str| list.split(", ").any(|phrase| spaced.contains(&format!(" {phrase}")));
    let (short, brief) = (words.len() <= 8, words.len() <= 5);
    if has(MACHINE) && words.len() <= 14 {
        return Kind::Machine;
    }
    if has(WELLBEING) && words.len() <= 12 {
        return Kind::Wellbeing;
    }
    if brief && has(DOUBTS) {
        return Kind::Doubt;
    }
    if asks(text, &words) {
        return question_of(text, language);
    }
    if text.contains(['😂', '🤣', '😆', '😹']) || has(LAUGHS) && short {
        return Kind::Laugh;
    }
    if short && has(THANKS) {
        return Kind::Thanks;
    }
    if short && has(FAREWELLS) {
        return Kind::Farewell;
    }
    if words.len() <= 7 && GREETINGS.split(", ").any(|phrase| spaced.starts_with(&format!(" {phrase} "))) {
        return Kind::Greeting;
    }
    if short && has(DISAGREES) {
        return Kind::Disagree;
    }
    if short && has(AGREES) {
        return Kind::Agree;
    }
    let past = |word: &&str| {
        let turkish = ["dim", "dum", "düm", "tim", "tum", "tüm", "dik", "duk", "tik", "tuk"];
        let is_other = word.starts_with("art")
            || ["matik", "atik", "otik", "etik", "itik", "astik", "ritik"].iter().any(|end| word.ends_with(end));
        word.chars().count() > 4 && !is_other && turkish.iter().any(|end| word.ends_with(end))
    };
    match () {
        () if has(COMPLAINTS) => Kind::Complaint,
        () if has(PLANS) => Kind::Plan,
        () if has(STORIES) || words.iter().any(past) => Kind::Story,
        () if has(VIEWS) => Kind::View,
        () => Kind::Say,
    }
}

/// Returns whether a message asks: by its mark, or by its first words.
fn asks(text: &str, words: &[&str]) -> bool {
    const FIRST: [&str; 20] = [
        "who", "what", "when", "where", "why", "how", "which", "do", "does", "did", "is", "are", "can", "would",
        "neden", "niye", "nasil", "nerede", "kim", "hangi",
    ];
    let is_marked = text.contains('?');
    let opens = words.first().is_some_and(|word| FIRST.contains(word)) && (3..=10).contains(&words.len());
    let unmarked = !text.contains(['.', '!', ',']) && opens;
    is_marked || unmarked || words.last().is_some_and(|word| PARTICLES.contains(word)) && words.len() > 1
}

fn question_of(text: &str, language: Language) -> Kind {
    let question = fold(last_question(text));
    let words = words(&question);
    let spaced = spaced(&question);
    let has = |list: &[&str]| list.iter().any(|phrase| spaced.contains(&format!(" {phrase} ")));
    let starts = |list: &[&str]| list.iter().any(|phrase| spaced.contains(&format!(" {phrase}")));
    if options_of(text, language).is_some() {
        return Kind::Either;
    }
    match () {
        () if OPINIONS.split(", ").any(|phrase| spaced.contains(&format!(" {phrase}"))) => Kind::Opinion,
        () if starts(&[
            "how long",
            "kaç dakika",
            "kaç saat",
            "kaç gün",
            "ne kadar sür",
            "ne kadar bekle",
            "ne kadar za",
            "ne kadar dinlen",
        ]) =>
        {
            Kind::Long
        }
        () if has(&["ne zaman", "kaçta", "when", "what time"]) => Kind::When,
        () if has(&["how many", "how much", "how often", "kaç", "kaçar", "ne kadar", "kaçinci"]) => Kind::Many,
        () if has(&["neden", "niye", "niçin", "why", "how come"]) => Kind::Why,
        () if has(&["kim", "kimi", "kime", "kimin", "kimler", "kimden", "who", "whose", "whom"]) => Kind::Who,
        () if has(&["nerede", "nereye", "nereden", "nerde", "neresi", "where"]) => Kind::Where,
        () if has(&["nasil", "how", "neyle", "trick", "secret", "yolu nedir", "püf nokta"]) => Kind::How,
        () if has(&["suggest", "recommend", "önerir", "önerisi", "önerin", "önerir misiniz", "önerir misin"]) => {
            Kind::Which
        }
        () if has(&["ne", "hangi", "hangisi", "neler", "nedir", "neydi", "what", "which"]) => Kind::Which,
        () if is_yes_no(&words) => Kind::YesNo,
        () => Kind::Which,
    }
}

const PARTICLES: [&str; 15] = [
    "mi",
    "mu",
    "mü",
    "misin",
    "musun",
    "müsün",
    "misiniz",
    "musunuz",
    "müsünüz",
    "miyim",
    "miyiz",
    "midir",
    "mudur",
    "miydi",
    "muydu",
];

fn is_yes_no(words: &[&str]) -> bool {
    const OPENERS: [&str; 26] = [
        "do", "does", "did", "is", "are", "was", "were", "can", "could", "will", "would", "should", "shall", "have",
        "has", "had", "am", "may", "anyone", "anybody", "isn", "aren", "don", "doesn", "ever", "any",
    ];
    words.iter().any(|word| PARTICLES.contains(word)) || words.iter().take(4).any(|word| OPENERS.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_taken_for_what_they_are() {
        let turkish = [
            ("Selam millet!", Kind::Greeting),
            ("Merhaba, nasılsınız?", Kind::Wellbeing),
            ("çok teşekkür ederim", Kind::Thanks),
            ("İyi geceler herkese", Kind::Farewell),
            ("Neden hep böyle oluyor?", Kind::Why),
            ("Sizce çay mı kahve mi?", Kind::Either),
            ("Kim kazanır bu maçı?", Kind::Who),
            ("çayı kaç dakika demliyorsunuz?", Kind::Long),
            ("bugün kaç toplantın var?", Kind::Many),
            ("kedisi olan var mı?", Kind::YesNo),
            ("küçük bir sahil kasabası önerir misiniz?", Kind::Which),
            ("sen bot musun?", Kind::Machine),
            ("emin misin?", Kind::Doubt),
            ("güldürdün beni 😂", Kind::Laugh),
            ("haklısın valla", Kind::Agree),
            ("ben pek öyle düşünmüyorum açıkçası", Kind::Disagree),
            ("metro yine arıza yapmış", Kind::Complaint),
            ("trenle Kars'a gitmeyi kafaya koydum", Kind::Plan),
            ("sahaftan üç kitap aldım", Kind::Story),
            ("bence çay kahveden iyidir", Kind::View),
            ("bu konuda sen ne düşünüyorsun?", Kind::Opinion),
        ];
        let english = [
            ("hello everyone", Kind::Greeting),
            ("bye all", Kind::Farewell),
            ("Where do you buy your tea?", Kind::Where),
            ("Do you like cats?", Kind::YesNo),
            ("I know who did it. Where was it?", Kind::Where),
            ("Good morning! Who is on the 8.15 ferry?", Kind::Who),
            ("how long do you brew your tea?", Kind::Long),
            ("how many cups a day", Kind::Many),
            ("can you suggest a film for tonight?", Kind::Which),
            ("what do you think of the new tram?", Kind::Opinion),
            ("are you a bot?", Kind::Machine),
            ("really?", Kind::Doubt),
            ("haha good one", Kind::Laugh),
            ("I disagree", Kind::Disagree),
            ("the referee ruined the match last night", Kind::Complaint),
            ("I want to cross the country by train", Kind::Plan),
            ("last night we went to a concert", Kind::Story),
            ("tea is better than coffee", Kind::View),
            ("History repeats itself", Kind::Say),
        ];
        for (text, wanted) in turkish {
            assert_eq!(kind_of(text, Language::Turkish), wanted, "{text}");
        }
        for (text, wanted) in english {
            assert_eq!(kind_of(text, Language::English), wanted, "{text}");
        }
    }
}
