//! Texts of the fleet about itself: on joining, and in answer to people's commands. Layer `behaviour`; pure.
//!
//! All texts are here, in both languages.

use super::command::Command;
use crate::domain::people::PersonRecord;
use crate::domain::roster::{ChatSpec, Language};
use crate::domain::time::Timestamp;

const DISCLOSURE_EN: &str = "\
Hello! Some members of this chat are AI bots: what they write is made by a language model and may be wrong. \
/privacy tells what is stored, /optout keeps them from reading you, and administrators silence them with /stop.";
const DISCLOSURE_TR: &str = "\
Merhaba! Bu sohbetin bazı üyeleri yapay zekâ botları: yazdıklarını bir dil modeli üretir ve yanlış olabilir. \
/privacy nelerin saklandığını anlatır, /optout yazdıklarınızı okumalarını engeller, yöneticiler /stop ile susturabilir.";

const PRIVACY_EN: &str = "\
To take part in the conversation, the bots store messages of this chat and pass the latest ones to a language model. \
Messages are kept {time} and serve no other purpose. /mydata shows what is stored about you, /forgetme removes \
it, /optout keeps the bots from storing what you write, and /optin lets them again.";
const PRIVACY_TR: &str = "\
Sohbete katılabilmek için botlar bu sohbetin mesajlarını saklar ve en son olanları bir dil modeline iletir. Mesajlar \
{time} saklanır ve başka bir amaçla kullanılmaz. /mydata hakkınızda neyin saklandığını gösterir, /forgetme onu \
siler, /optout yazdıklarınızın saklanmasını engeller, /optin yeniden izin verir.";

/// Returns the text for joining a chat and for `/ai`; `None` where the manifest wants nothing said on joining.
pub fn disclosure(chat: &ChatSpec) -> Option<String> {
    match &chat.disclosure {
        Some(own) if own.trim().is_empty() => None,
        Some(own) => Some(own.clone()),
        None => Some(pick(chat.language, DISCLOSURE_EN, DISCLOSURE_TR).to_owned()),
    }
}

/// Returns the line by which a bot tells that an operator speaks as it; `None` where the manifest wants nothing said.
pub fn takeover(chat: &ChatSpec) -> Option<String> {
    let text = pick(
        chat.language,
        "For a while, a person of the team writes here in my name.",
        "Bir süre boyunca burada benim adıma ekipten bir insan yazıyor.",
    );
    chat.takeover_notice.then(|| text.to_owned())
}

/// Returns the answer to a command, if there is one. `record` is the data stored about the person who gave it, where
/// the command asks for the data and they could be read.
pub fn answer(chat: &ChatSpec, command: Command, record: Option<&PersonRecord>) -> Option<String> {
    let language = chat.language;
    let text = match command {
        Command::Ai => {
            return Some(
                disclosure(chat).unwrap_or_else(|| pick(language, DISCLOSURE_EN, DISCLOSURE_TR).to_owned()),
            );
        }
        Command::Privacy => {
            let time = match (language, chat.retention_days) {
                (Language::En, 0) => "without limit".to_owned(),
                (Language::Tr, 0) => "süresiz".to_owned(),
                (Language::En, days) => format!("for {days} days"),
                (Language::Tr, days) => format!("{days} gün"),
            };
            pick(language, PRIVACY_EN, PRIVACY_TR).replace("{time}", &time)
        }
        Command::OptOut => pick(
            language,
            "Done: from now on nothing you write is stored or read by the bots. /optin takes it back, /forgetme removes \
             what was stored before.",
            "Tamam: bundan sonra yazdıklarınız botlarca saklanmaz ve okunmaz. /optin bunu geri alır, /forgetme daha önce \
             saklananları siler.",
        )
        .to_owned(),
        Command::OptIn => pick(
            language,
            "Done: the bots read and store what you write again.",
            "Tamam: botlar yazdıklarınızı yeniden okur ve saklar.",
        )
        .to_owned(),
        Command::Forget => pick(
            language,
            "Done: what was stored of your messages, and what answers them, is being removed. /optout keeps new ones \
             from being stored.",
            "Tamam: mesajlarınızdan ve onlara verilen yanıtlardan saklananlar siliniyor. /optout yenilerinin \
             saklanmasını engeller.",
        )
        .to_owned(),
        Command::MyData => return Some(record.map_or_else(|| unreadable(language), |record| stored(language, record))),
        Command::Quiet(_) | Command::Stop | Command::Start => return None,
    };
    Some(text)
}

fn unreadable(language: Language) -> String {
    pick(language, "It cannot be read just now, please ask again.", "Şu anda okunamıyor, lütfen yeniden sorun.")
        .to_owned()
}

fn stored(language: Language, record: &PersonRecord) -> String {
    let PersonRecord { opted_out_since, entries, first, last, updates, answers } = record;
    let span = match (first, last) {
        (Some(first), Some(last)) => format!(" ({} – {})", day(*first), day(*last)),
        _ => String::new(),
    };
    match language {
        Language::Tr => {
            let out = opted_out_since.map_or_else(
                || "Saklanmasına izin var; /optout ile geri alabilirsiniz.".to_owned(),
                |since| format!("{} tarihinden beri yazdıklarınız saklanmıyor.", day(since)),
            );
            format!(
                "Hakkınızda saklananlar: {entries} mesaj, düzenleme ya da tepki{span}; bunlara {answers} bot yanıtı; \
                 birkaç gün sonra silinen {updates} ham güncelleme. {out} /forgetme hepsini siler."
            )
        }
        Language::En => {
            let out = opted_out_since.map_or_else(
                || "You have not opted out; /optout does.".to_owned(),
                |since| format!("Since {} nothing you write is stored.", day(since)),
            );
            format!(
                "Stored about you: {entries} messages, edits or reactions{span}; {answers} bot answers to them; {updates} \
                 raw updates, which go after some days. {out} /forgetme removes all of it."
            )
        }
    }
}

/// Returns the day of an instant, in UTC.
fn day(at: Timestamp) -> String {
    chrono::DateTime::from_timestamp_millis(at.as_millis())
        .map_or_else(String::new, |at| at.format("%Y-%m-%d").to_string())
}

fn pick(language: Language, en: &'static str, tr: &'static str) -> &'static str {
    match language {
        Language::En => en,
        Language::Tr => tr,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::behaviour::command::Quiet;
    use crate::domain::text::utf16_units;
    use crate::testkit::rows::{at, plan};

    #[test]
    fn every_answer_fits_a_message_in_both_languages() {
        let mut chat = plan(1, 1).chats.remove(0);
        let record = PersonRecord { entries: 3, first: Some(at(0)), last: Some(at(9)), ..PersonRecord::default() };
        for language in [Language::En, Language::Tr] {
            (chat.language, chat.disclosure) = (language, None);
            for command in
                [Command::Ai, Command::Privacy, Command::OptOut, Command::OptIn, Command::Forget, Command::MyData]
            {
                let text = answer(&chat, command, Some(&record)).unwrap();
                assert!(!text.contains('{') && (20..1_000).contains(&utf16_units(&text)), "{text}");
            }
        }
        assert!(takeover(&chat).is_some_and(|text| text.contains("insan")));
        chat.takeover_notice = false;
        assert_eq!(takeover(&chat), None);
        assert_eq!(answer(&chat, Command::Quiet(Quiet::Until(0)), None), None, "nobody speaks to say that it is quiet");
    }

    #[test]
    fn the_manifest_may_word_the_disclosure_or_leave_it_out() {
        let mut chat = plan(1, 1).chats.remove(0);
        chat.disclosure = Some("Ben bir botum.".to_owned());
        assert_eq!(disclosure(&chat).as_deref(), Some("Ben bir botum."));
        chat.disclosure = Some(String::new());
        assert_eq!(disclosure(&chat), None);
        assert!(answer(&chat, Command::Ai, None).is_some(), "who asks is told");
    }
}
