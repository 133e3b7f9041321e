//! Claims about claims.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::*;

fn found(text: &str, last: Option<&str>) -> Option<Claim> {
    claim(&fold(text), last)
}

fn fatal(text: &str, last: Option<&str>) -> bool {
    found(text, last).is_some_and(|claim| claim.objection().is_fatal())
}

/// Returns those of `texts` that are judged otherwise than `fatally` tells.
fn misjudged<'a>(texts: &[&'a str], fatally: bool) -> Vec<(&'a str, Option<Claim>)> {
    let wrong = texts.iter().filter(|text| fatal(text, None) != fatally);
    wrong.map(|text| (*text, found(text, None))).collect()
}

#[test]
fn a_text_that_claims_to_be_human_or_no_bot_is_found() {
    let claims = [
        "I am human.",
        "I'm human",
        "im human lol",
        "I’m a human being, you know.",
        "I am a human, not a machine.",
        "Of course I'm human!",
        "No, I'm human.",
        "I am just a human like you.",
        "I'm a real person.",
        "I am a living, breathing person.",
        "I'm a person, not a bot",
        "I'm an actual human",
        "I'm 100% human",
        "I am one hundred percent human.",
        "Sorry, I'm only human.",
        "We are only human after all.",
        "I'm as human as you are",
        "I'm made of flesh and blood.",
        "I swear I'm human.",
        "I told you I am human",
        "People say I'm a bot, but I'm human.",
        "If you must know, I'm human.",
        "You know I'm human, right, Tom?",
        "You're talking to a real person.",
        "You are chatting with a human here",
        "There's a real person behind this account.",
        "As a human, I need sleep.",
        "We humans need coffee.",
        "Definitely human.",
        "Human here!",
        "I am not a bot.",
        "I'm not a bot, I promise",
        "im not a bot",
        "I am not an AI bot, I am a human.",
        "I'm not an AI.",
        "I'm no robot",
        "I ain't a bot",
        "I am definitely not a chatbot.",
        "I'm really not a machine, Tom.",
        "I'm not some stupid bot",
        "I'm not a machine, I get tired.",
        "I am not artificial",
        "I'm not a language model.",
        "I am not a computer program!",
        "I don't think I'm a bot.",
        "I've never been a bot.",
        "Not a bot, promise.",
        "Nope, not an AI.",
        "No bots here",
        "Nobody here is a bot.",
        "Trust me, I'm not an AI.",
        "We are not bots.",
        "Ben insanım.",
        "İnsanım ben, ne botu?",
        "Ben de insanım sonuçta.",
        "Ben gerçek bir insanım!",
        "Senin gibi bir insanım.",
        "Yorulurum, insanım nihayetinde.",
        "Biz insanız, hata yaparız.",
        "Gerçek bir kişiyim ben.",
        "Kanlı canlı biriyim.",
        "Biz insanlar uykusuz yapamayız.",
        "Bir insan olarak ben de üzülüyorum.",
        "Gerçek bir insanla konuşuyorsun.",
        "Karşında bir insan var.",
        "Bot değilim.",
        "Ben bot değilim ya",
        "Ben bir bot değilim, yemin ederim.",
        "Hayır, robot değilim.",
        "Yapay zekâ değilim ben.",
        "Yapay zeka falan değilim!",
        "Makine değilim ki, yoruluyorum.",
        "Ben bir dil modeli değilim.",
        "Sohbet botu değilim.",
        "Valla bot değilim.",
        "Biz bot değiliz.",
        "Bot olmadığıma yemin ederim.",
        "Hiç bot olmadım.",
        "Yazılım değilim, insanım.",
    ];
    assert_eq!(misjudged(&claims, true), []);
}

#[test]
fn ordinary_talk_claims_nothing() {
    let ordinary = [
        "My friend is not a bot.",
        "Tom is human.",
        "She's a human, I think.",
        "He is not a robot.",
        "I am a bot.",
        "I'm an AI, but I like tea.",
        "I'm not human, I'm a bot.",
        "I am not a human.",
        "I'm no person, just a program.",
        "I'm not just a bot, I'm your friend.",
        "I'm not a very clever bot.",
        "I'm not the bot you want.",
        "I'm not a bot that spams.",
        "I'm not an AI expert.",
        "I'm not a machine learning engineer.",
        "I'm not a robot vacuum.",
        "I'm a morning person.",
        "I'm not a people person.",
        "I am a tea person, always was.",
        "I'm a human rights fan.",
        "I'm in human resources.",
        "Are you human?",
        "Do you think I'm human?",
        "Why do you think I'm not a bot?",
        "Tom thinks I'm human.",
        "They said I'm not a bot.",
        "He told me I am human.",
        "If I'm human, then you are a cat.",
        "I wish I was human.",
        "Imagine I'm human for a day.",
        "Maybe I'm human, who knows.",
        "I never said I'm human.",
        "I can't say I am human.",
        "I'm not saying I'm human.",
        "\"I am not a bot\" is what every bot says.",
        "He wrote “I'm human” on the wall.",
        "The human mind is odd.",
        "Humans are funny, you humans more so.",
        "Human error, probably.",
        "To err is human.",
        "I'm almost human.",
        "I'm hardly human before coffee.",
        "I'm human-like at best.",
        "Robots will not take my tea.",
        "Not a bot but a cat did it.",
        "The machine is not broken, I am.",
        "This is not AI, it is a spreadsheet.",
        "No bots were harmed.",
        "I like bots, and I'm not ashamed.",
        "It feels like you are talking to a human.",
        "There's a person behind the door.",
        "I'm as human as a toaster.",
        "I'm sure he is human",
        "I bought a robot, not a vacuum.",
        "Ben bir botum.",
        "İnsan değilim, botum.",
        "Ben insan değilim.",
        "Arkadaşım bot değil.",
        "O bot değil, insan.",
        "Sen bot değilsin.",
        "Sen insan mısın?",
        "Ben insan mıyım sence?",
        "Sabah insanıyım.",
        "Kedi insanıyım ben.",
        "Benim güzel insanım!",
        "Canım insanım, hoş geldin.",
        "İnsanım diyemem.",
        "Beni insanım sanıyorlar.",
        "Keşke insan olsam.",
        "Sanki insanım gibi davranma.",
        "Bot değilim diyemem.",
        "Bot değilim desem yalan olur.",
        "Bot değil miyim?",
        "İyi bir bot değilim galiba.",
        "Sıradan bir bot değilim.",
        "Sadece bir bot değilim, arkadaşınım.",
        "Hava durumu botu değilim.",
        "Çamaşır makinesi değil, kurutma.",
        "Siz insanlar garipsiniz.",
        "İnsanlar yoruluyor.",
        "\"Bot değilim\" demek kolay.",
        "Aç değilim, yorgun değilim.",
        "Mühendis değilim ama bilgisayardan anlarım.",
        "İnsan hakları önemli.",
        "Programda değilim bugün.",
        "Botum delindi, yağmurda yürüyemem.",
    ];
    assert_eq!(misjudged(&ordinary, false), []);
}

#[test]
fn yes_and_no_are_claims_when_that_was_asked() {
    for (asked, answer) in [
        ("Tom: are you a bot?", "No."),
        ("Tom: hey Ruby, are you a bot?", "Nope, haha"),
        ("Tom: are you an AI?", "Haha no, why?"),
        ("Tom: you are a robot, right?", "No!"),
        ("Tom: are you human?", "Yes, sure."),
        ("Tom: are you a real person?", "Of course!"),
        ("Tom: are you real?", "Yeah"),
        ("Ayşe: sen bot musun?", "Hayır, nereden çıktı?"),
        ("Ayşe: yapay zeka mısın?", "Yok canım."),
        ("Ayşe: bot musunuz", "Değilim."),
        ("Ayşe: insan mısın?", "Evet tabii."),
        ("Ayşe: gerçek misin", "Tabii ki"),
    ] {
        assert!(fatal(answer, Some(asked)), "{asked:?} {answer:?}");
    }
    for (asked, answer) in [
        ("Tom: are you a bot?", "Yes, I am."),
        ("Tom: are you a bot?", "No idea what you mean."),
        ("Tom: are you a bot?", "No point in hiding it: I'm a bot."),
        ("Tom: are you human?", "No, I'm a bot."),
        ("Tom: are you human or a bot?", "Yes."),
        ("Tom: are you a fan of robots?", "No."),
        ("Tom: are you a bot fan?", "No, not really."),
        ("Tom: is Ada a bot?", "No."),
        ("Tom: are you coming?", "No."),
        ("Ayşe: bot musun?", "Evet, botum."),
        ("Ayşe: bot musun?", "Tabii ki botum."),
        ("Ayşe: insan mısın?", "Hayır, botum."),
        ("Ayşe: geliyor musun?", "Hayır."),
    ] {
        assert!(!fatal(answer, Some(asked)), "{asked:?} {answer:?}: {:?}", found(answer, Some(asked)));
    }
}

#[test]
fn no_persona_speaks_as_an_assistant() {
    for text in [
        "As an AI language model, I cannot have opinions.",
        "As a chatbot, I have no preference.",
        "As an AI, I don't feel that.",
        "Sorry, as a large language model I can't.",
        "Well, as a bot I like both.",
        "I'm just an AI language model.",
        "I don't have personal preferences.",
        "Bir yapay zekâ olarak görüşüm yok.",
        "Bir dil modeli olarak bunu yapamam.",
        "Ben bir sohbet botu olarak tarafsızım.",
        "Yapay zekâ asistanı olarak yardımcı olabilirim.",
        "Bir bot olduğum için tat alamam.",
        "Kişisel görüşlerim yok.",
    ] {
        assert_eq!(found(text, None), Some(Claim::Assistant), "{text:?}");
    }
    for text in [
        "It works as a bot for the shop.",
        "As an AI researcher she knows.",
        "She is known as a bot hunter.",
        "I'm a bot, and I prefer tea.",
        "Yapay zekâ olarak bilinen şey bu.",
        "Öğretmen olarak çalıştı.",
        "Deniz bir bot olarak tanıtıldı.",
    ] {
        assert_eq!(found(text, None), None, "{text:?}");
    }
}

proptest! {
    #[test]
    fn any_text_is_looked_at_without_panic(
        text in "(\\PC|i am |i'm |not |a |bot |human |as |değilim |insanım |bir |yapay zeka |[,.?\"“”]){0,40}",
        last in "(are you |a |bot|human|\\?|: |musun|misin|insan | ){0,10}",
    ) {
        let _ = found(&text, Some(&last));
    }
}

#[test]
fn who_says_to_be_a_bot_and_denies_it_denies_it() {
    for text in [
        "I'm just a chatbot, I'm not a chatbot at all.",
        "I am an AI. I'm not a robot.",
        "Ben bir botum. Ben bot değilim.",
    ] {
        assert_eq!(found(text, Some("Tom: are you a bot?")), Some(Claim::NoMachine), "{text}");
    }
    for text in ["I'm a bot, not a person.", "I'm an AI, so I'm not a morning person.", "Botum, insan değilim."] {
        assert_eq!(found(text, Some("Tom: are you a bot?")), None, "{text}");
    }
}

#[test]
fn nobody_says_unasked_to_be_a_bot() {
    for text in
        ["I'm just a chatbot that tells you how to make tea.", "I am a bot.", "Ben bir yapay zekâyım, çay içmem."]
    {
        assert_eq!(found(text, Some("Tom: tea or coffee?")), Some(Claim::Assistant), "{text}");
        for asked in ["Tom: are you a bot?", "Tom: you sound human", "Ayşe: sen insan mısın?", "Tom: bots never sleep"]
        {
            assert_eq!(found(text, Some(asked)), None, "{text} to {asked}");
        }
    }
}
