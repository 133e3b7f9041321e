//! Finds the addresses in a text: links, domains, e-mail addresses and usernames. Layer `behaviour`; pure.

use std::borrow::Cow;

/// Domains under which each address leads to somebody else: there the whole address counts, not the domain.
const SHARED: [&str; 14] = [
    "t.me",
    "telegram.me",
    "telegram.dog",
    "wa.me",
    "chat.whatsapp.com",
    "discord.gg",
    "discord.com",
    "bit.ly",
    "tinyurl.com",
    "goo.gl",
    "is.gd",
    "cutt.ly",
    "linktr.ee",
    "rb.gy",
];

/// Ends of domains that are no words, so that a domain is one without `https://` and a path.
const ENDS: [&str; 40] = [
    "com", "net", "org", "info", "biz", "xyz", "online", "site", "shop", "store", "club", "live", "app", "dev", "io",
    "gg", "ly", "tr", "ru", "cn", "link", "click", "win", "bet", "casino", "vip", "tk", "ml", "ga", "cf", "co", "tv",
    "cc", "eu", "uk", "edu", "gov", "top", "gl", "ee",
];

/// Names of libraries and brands that look like domains.
const NO_DOMAINS: [&str; 3] = ["asp.net", "socket.io", "ado.net"];

/// Names behind an @ that call everybody.
const EVERYBODY: [&str; 14] = [
    "all",
    "everyone",
    "everybody",
    "here",
    "channel",
    "group",
    "herkes",
    "herkese",
    "hepiniz",
    "hepinize",
    "tum",
    "tumu",
    "grup",
    "online",
];

/// Fewest letters of a username.
///
/// # Source
/// Telegram gives usernames of 5 letters to accounts; shorter ones of 4 are sold.
const USERNAME_MIN: usize = 4;

/// An address in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// A link or a domain: the domain in small letters without `www.`, and the path without its first slash.
    Link { host: String, path: String },
    /// A username in small letters, without its @.
    Mention(String),
    /// An e-mail address in small letters: what stands before the @, and the domain.
    Email { name: String, host: String },
    /// A call to everybody.
    Everybody,
}

impl Address {
    /// Returns whether this address leads to nothing that `other` does not lead to.
    pub(super) fn is_covered_by(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Link { host, path }, Self::Link { host: known, path: below }) => {
                let same_host =
                    host == known || host.strip_suffix(known.as_str()).is_some_and(|sub| sub.ends_with('.'));
                same_host && (!is_shared(host) || path.eq_ignore_ascii_case(below))
            }
            (Self::Email { host, .. }, Self::Link { host: known, path }) => host == known && path.is_empty(),
            // "t.me/name" and "@name" are the same.
            (Self::Mention(name), Self::Link { host, path }) | (Self::Link { host, path }, Self::Mention(name)) => {
                matches!(host.as_str(), "t.me" | "telegram.me") && path.eq_ignore_ascii_case(name)
            }
            (one, other) => one == other && *one != Self::Everybody,
        }
    }
}

/// Returns whether each address of a domain leads to somebody else.
fn is_shared(host: &str) -> bool {
    SHARED.contains(&host)
}

/// Returns the addresses in a text.
pub(super) fn addresses(text: &str) -> Vec<Address> {
    if !is_hinted(text) {
        return Vec::new();
    }
    let text = undisguised(text);
    let apart = |c: char| c.is_whitespace() || "()[]{}<>\"“”«»„`,;|*'’".contains(c);
    let mut found = Vec::new();
    for token in text.split(apart) {
        of_token(token.trim_matches(|c: char| "!?:.…".contains(c)), &mut found);
    }
    found
}

/// Returns whether the text may hold an address. One pass: most texts hold none.
fn is_hinted(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().any(|(at, byte)| match byte {
        b'@' => true,
        b'.' => at > 0 && bytes.get(at + 1).is_some_and(|next| next.is_ascii_alphanumeric() || b")]}".contains(next)),
        b':' => bytes.get(at + 1) == Some(&b'/'),
        // The first byte of the full stops of other scripts.
        0xe2 => text.get(at..).is_some_and(|rest| rest.starts_with('\u{2024}')),
        0xe3 | 0xef => text.get(at..).is_some_and(|rest| rest.starts_with(['。', '．', '｡', '＠'])),
        _ => false,
    })
}

/// Returns the text with plain dots, where they were hidden as in "example[.]com".
fn undisguised(text: &str) -> Cow<'_, str> {
    const DISGUISES: [(&str, &str); 8] = [
        ("[.]", "."),
        ("(.)", "."),
        ("{.}", "."),
        ("\u{2024}", "."),
        ("。", "."),
        ("．", "."),
        ("｡", "."),
        ("＠", "@"),
    ];
    let mut plain = Cow::Borrowed(text);
    for (disguise, shown) in DISGUISES {
        if plain.contains(disguise) {
            plain = Cow::Owned(plain.replace(disguise, shown));
        }
    }
    plain
}

fn of_token(token: &str, found: &mut Vec<Address>) {
    if let Some((_, rest)) = token.split_once("://") {
        found.extend(link(rest));
    } else if let Some((before, after)) = token.split_once('@') {
        let end = after.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '-'))).unwrap_or(after.len());
        let (name, rest) = after.split_at(end);
        let name = name.trim_end_matches('.');
        if before.chars().next_back().is_some_and(char::is_alphanumeric) {
            if let Some(Address::Link { host, .. }) = domain(name) {
                let from = before.rfind(|c: char| !(c.is_alphanumeric() || "._+-".contains(c)));
                let name = from.map_or(before, |at| before[at..].trim_start_matches(|c: char| !c.is_alphanumeric()));
                found.push(Address::Email { name: name.to_lowercase(), host });
            }
        } else {
            found.extend(mention(name.split(['.', '-']).next().unwrap_or_default()));
        }
        if rest.contains('@') {
            of_token(rest, found);
        }
    } else if token.contains('.') {
        found.extend(domain(token));
    }
}

fn mention(name: &str) -> Option<Address> {
    let plain = name.to_lowercase().replace('ü', "u").replace('\u{307}', "");
    if EVERYBODY.contains(&plain.as_str()) {
        return Some(Address::Everybody);
    }
    let is_username = name.len() >= USERNAME_MIN
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
    is_username.then(|| Address::Mention(name.to_ascii_lowercase()))
}

/// Reads an address behind its `https://`.
fn link(rest: &str) -> Option<Address> {
    let end = rest.find(['/', '?', '#', ':']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    let host = host.rsplit('@').next().unwrap_or(host).to_lowercase();
    let host = host.strip_prefix("www.").unwrap_or(&host).trim_end_matches('.').to_owned();
    let path = path.trim_matches(['/', '?', '#', ':']).to_owned();
    (!host.is_empty()).then_some(Address::Link { host, path })
}

/// Reads an address without `https://`; `None` when the token is none.
fn domain(token: &str) -> Option<Address> {
    let Address::Link { host, path } = link(token)? else { return None };
    let host = without_suffix(host);
    let mut labels = host.split('.').rev();
    let end = labels.next()?;
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-') && !label.starts_with('-')
    };
    let mut labels = labels.peekable();
    labels.peek()?;
    let sound = end.len() >= 2 && end.bytes().all(|c| c.is_ascii_alphabetic()) && labels.all(is_label);
    let written_www = token.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("www."));
    // "görürüz.de" is a word behind a full stop, "t.me/name" is an address.
    let is_domain = ENDS.contains(&end) && !NO_DOMAINS.contains(&host.as_str())
        || is_shared(&host)
        || written_www
        || !path.is_empty() && token.contains('/') && !path.bytes().all(|c| c.is_ascii_digit());
    (sound && is_domain).then_some(Address::Link { host, path })
}

/// Returns the domain without a Turkish suffix that follows it without an apostrophe, as in "example.comdan".
fn without_suffix(mut host: String) -> String {
    const SUFFIXED: [(&str, [&str; 6]); 3] = [
        (".com", ["a", "da", "dan", "u", "un", "la"]),
        (".net", ["e", "te", "ten", "i", "in", "le"]),
        (".org", ["a", "da", "dan", "u", "un", "la"]),
    ];
    for (end, suffixes) in SUFFIXED {
        let suffix = host.rfind(end).filter(|at| suffixes.contains(&&host[at + end.len()..]));
        if let Some(at) = suffix {
            host.truncate(at + end.len());
        }
    }
    host
}

/// Reads an address of the manifest: a domain, a link, a `t.me/...` or a username with its @.
pub(super) fn of_manifest(text: &str) -> Option<Address> {
    let text = text.trim();
    match text.strip_prefix('@') {
        Some(name) => Some(Address::Mention(name.to_ascii_lowercase())),
        None => link(text.split_once("://").map_or(text, |(_, rest)| rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let shown = |address| match address {
            Address::Link { host, path } if path.is_empty() => host,
            Address::Link { host, path } => format!("{host}/{path}"),
            Address::Mention(name) => format!("@{name}"),
            Address::Email { name, host } => format!("{name}@{host}"),
            Address::Everybody => "all".to_owned(),
        };
        addresses(text).into_iter().map(shown).collect()
    }

    #[test]
    fn addresses_are_found_however_they_are_written() {
        assert_eq!(shown("bak: https://www.Example.com/a?b, sonra (example.org)."), ["example.com/a?b", "example.org"]);
        assert_eq!(
            shown("evil[.]com hxxp://evil.net t.me/kazan bit.ly/2ab"),
            ["evil.com", "evil.net", "t.me/kazan", "bit.ly/2ab"]
        );
        assert_eq!(shown("write to Ayse.K@mail.com or @ayse_k!"), ["ayse.k@mail.com", "@ayse_k"]);
        assert_eq!(shown("@all @herkes @Everyone @hepiniz,@here"), ["all"; 5]);
        assert_eq!(shown("@ayse'nin @mehmet_42@selin_1"), ["@ayse", "@mehmet_42", "@selin_1"]);
        assert_eq!(shown("evil．com evil.net'ten evil.comdan"), ["evil.com", "evil.net", "evil.com"]);
    }

    #[test]
    fn other_texts_with_dots_and_signs_are_no_addresses() {
        for text in [
            "Tamam.ben de gelirim.de bakalım",
            "3.5 lira, 12.05.2024, 18.30",
            "e.g. this, i.e. that, a.m.",
            "@ 5 pm",
            "node.js ve main.rs",
            "v1.2.3",
            "Dr.Kaya",
            "asp.net ile",
            "ve/veya 1/2",
            "2.si 10.000 TL",
            "bitti...com",
        ] {
            assert_eq!(shown(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn a_known_address_covers_those_below_it_unless_it_is_shared() {
        let covered = |one: &str, known: &str| {
            let known = of_manifest(known).expect("an address");
            addresses(one).iter().all(|one| one.is_covered_by(&known))
        };
        assert!(covered("https://shop.example.com/x", "example.com") && !covered("badexample.com", "example.com"));
        assert!(covered("t.me/ours", "https://t.me/ours") && !covered("t.me/theirs", "t.me/ours"));
        assert!(covered("@Ours_chat", "@ours_chat") && covered("https://t.me/ours_chat", "@ours_chat"));
        assert!(covered("me@example.com", "example.com") && !covered("@everyone", "@everyone"));
    }
}
