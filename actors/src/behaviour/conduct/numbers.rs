//! Finds numbers that lead to somebody: of telephones, payment cards and bank accounts. Layer `behaviour`; pure.

/// Fewest digits of a text that can hold such a number.
const DIGITS_MIN: usize = 9;

/// Lengths of the groups of a telephone number that begins with 0.
const WITH_ZERO: [&[usize]; 10] = [
    &[11],
    &[4, 7],
    &[4, 3, 4],
    &[4, 3, 2, 2],
    &[1, 3, 3, 2, 2],
    &[1, 3, 3, 4],
    &[3, 4, 4],
    &[5, 6],
    &[5, 3, 3],
    &[4, 3, 3],
];

/// Words near a telephone number, folded; a mobile number without groups needs one of them.
const CALLING: [&str; 16] = [
    "tel",
    "telefon",
    "telefonum",
    "telefonu",
    "ara",
    "arayin",
    "ararsin",
    "cep",
    "gsm",
    "whatsapp",
    "wp",
    "call",
    "phone",
    "text",
    "mobile",
    "numaram",
];

/// Kind of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    /// Of a telephone.
    Phone,
    /// Of a payment card.
    Card,
    /// Of a bank account (IBAN).
    Account,
}

/// A row of groups of digits with blanks or marks between them.
#[derive(Debug, Default)]
struct Row<'a> {
    groups: Vec<&'a str>,
    /// The marks before each group, from the end of the one before.
    marks: Vec<&'a str>,
}

/// Returns the kind of the first such number in a text; `words` are the text's words in plain letters.
pub(super) fn number<'a>(text: &str, mut words: impl Iterator<Item = &'a str>) -> Option<Number> {
    if text.bytes().filter(u8::is_ascii_digit).count() < DIGITS_MIN {
        return None;
    }
    if holds_account(text) {
        return Some(Number::Account);
    }
    let rows = rows(text);
    let parts = |row: &Row<'_>, fits: fn(&[&str], &[&str]) -> bool| {
        (0..row.groups.len())
            .any(|from| (from + 1..=row.groups.len()).any(|to| fits(&row.groups[from..to], &row.marks[from..to])))
    };
    if rows.iter().any(|row| parts(row, is_card)) {
        return Some(Number::Card);
    }
    let bare = |row: &Row<'_>| row.groups.iter().any(|group| group.len() == 10 && group.starts_with('5'));
    let is_phone = rows.iter().any(|row| parts(row, is_phone))
        || rows.iter().any(bare) && words.any(|word| CALLING.contains(&word));
    is_phone.then_some(Number::Phone)
}

/// Returns the rows of groups in a text. At most two marks stand between groups, and none that parts a time or a list.
fn rows(text: &str) -> Vec<Row<'_>> {
    let (mut rows, mut row) = (Vec::new(), Row::default());
    let (mut at, mut end) = (0, 0);
    let bytes = text.as_bytes();
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let from = at;
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        let mark = &text[end..from];
        let joins = mark.len() <= 2 && mark.bytes().all(|c| b" -.()".contains(&c));
        if !joins && !row.groups.is_empty() {
            rows.push(std::mem::take(&mut row));
        }
        row.groups.push(&text[from..at]);
        row.marks.push(mark);
        end = at;
    }
    rows.push(row);
    rows
}

fn digits(groups: &[&str]) -> usize {
    groups.iter().map(|group| group.len()).sum()
}

fn is_card(groups: &[&str], marks: &[&str]) -> bool {
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    let grouped = match lengths.as_slice() {
        [14 | 15 | 16 | 19] | [4, 6, 4 | 5] => true,
        [4, 4, 4, rest @ ..] => matches!(rest, [2..=4] | [4, 3]),
        _ => false,
    };
    let is_year = |group: &&str| group.starts_with("19") || group.starts_with("20");
    let all = || groups.iter().flat_map(|group| group.bytes()).map(|digit| u32::from(digit - b'0'));
    grouped
        && groups[0].starts_with(['2', '3', '4', '5', '6', '9'])
        && marks[1..].iter().all(|mark| matches!(*mark, " " | "-"))
        && !groups.iter().all(is_year)
        && luhn(all())
}

/// Returns whether the check digit of a card's number is right.
///
/// # Source
/// ISO/IEC 7812-1, annex B.
fn luhn(digits: impl DoubleEndedIterator<Item = u32>) -> bool {
    let weighed = digits.rev().enumerate().map(|(at, digit)| match at % 2 {
        0 => digit,
        _ => digit * 2 / 10 + digit * 2 % 10,
    });
    weighed.sum::<u32>() % 10 == 0
}

fn is_phone(groups: &[&str], marks: &[&str]) -> bool {
    let (first, count) = (groups[0], digits(groups));
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    if marks[0].ends_with('+') {
        return (9..=15).contains(&count);
    }
    let second = first.as_bytes().get(1).copied();
    if first.starts_with("00") {
        // "1.000.000.000.000" is an amount.
        return (12..=15).contains(&count)
            && first.len() != 3
            && first.bytes().chain(groups[1..].concat().bytes()).any(|c| c != b'0');
    }
    if first.starts_with('0') && (second.is_some_and(|c| c != b'0') || first.len() == 1) {
        return WITH_ZERO.contains(&lengths.as_slice());
    }
    let marked = || marks[1..].iter().all(|mark| mark.contains(['-', '.', ')']));
    match lengths.as_slice() {
        [3, 3, 2, 2] => first.starts_with('5'),
        [3, 3, 4] => marked() && !first.starts_with('1'),
        _ => false,
    }
}

/// Returns whether the text holds the number of a bank account.
fn holds_account(text: &str) -> bool {
    text.char_indices().any(|(at, c)| {
        let starts = c.is_ascii_uppercase() && !text[..at].ends_with(|c: char| c.is_alphanumeric());
        starts && is_account(&text[at..])
    })
}

/// Returns whether a text begins with the number of a bank account, in groups or not.
///
/// # Source
/// ISO 13616-1: two letters, two check digits, up to 30 letters and digits; the remainder of 97 is 1. Turkey: 26.
fn is_account(text: &str) -> bool {
    let bare: Vec<u8> = text.bytes().take(44).take_while(|c| c.is_ascii_alphanumeric() || *c == b' ').collect();
    let mut number: Vec<u8> = bare.into_iter().filter(|c| *c != b' ').take(34).collect();
    let is_digit = |at: usize| number.get(at).is_some_and(u8::is_ascii_digit);
    if number.len() < 15 || !number[1].is_ascii_uppercase() || !is_digit(2) || !is_digit(3) {
        return false;
    }
    if number.starts_with(b"TR") {
        return (2..26).all(is_digit);
    }
    // Words may follow: each length is tried.
    (15..=number.len()).rev().any(|length| {
        number.truncate(length);
        let value = |c: u8| match c {
            b'0'..=b'9' => u32::from(c - b'0'),
            c => u32::from(c.to_ascii_uppercase() - b'A') + 10,
        };
        let turned = number[4..].iter().chain(&number[..4]);
        let rest = turned.fold(0, |rest, c| match value(*c) {
            digit @ 0..10 => (rest * 10 + digit) % 97,
            two => (rest * 100 + two) % 97,
        });
        rest == 1 && number[4..].iter().filter(|c| c.is_ascii_digit()).count() >= 8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<Number> {
        number(text, text.split_whitespace())
    }

    #[test]
    fn numbers_of_telephones_cards_and_accounts_are_found() {
        for text in [
            "+90 532 123 45 67",
            "0532 123 45 67",
            "05321234567",
            "0 (532) 123 45 67",
            "532 123 45 67",
            "(555) 123-4567",
            "+1-202-555-0143",
            "020 7946 0958",
            "00905321234567",
            "call 5321234567",
            "0212 555 33 22",
            "0532.123.45.67",
        ] {
            assert_eq!(found(text), Some(Number::Phone), "{text}");
        }
        for text in ["4111 1111 1111 1111", "kart: 5500000000000004", "3782 822463 10005", "no 4111-1111-1111-1111 son"]
        {
            assert_eq!(found(text), Some(Number::Card), "{text}");
        }
        for text in
            ["TR12 0006 1005 1978 6457 8413 26", "hesap GB82 WEST 1234 5698 7654 32 ok", "DE89370400440532013000"]
        {
            assert_eq!(found(text), Some(Number::Account), "{text}");
        }
    }

    #[test]
    fn other_numbers_are_left_alone() {
        for text in [
            "12.05.2024 14:30, 13.05.2024 09:00",
            "1.250.000.000 TL",
            "sipariş no 1234567890",
            "3,14159265358979",
            "2019 2020 2021 2022 2023",
            "order 4111111111111112",
            "ISBN 978-0-306-40615-7",
            "1-0, 2-1, 3-3, 10-9, 100-99",
            "takip 5321234567",
            "2024-05-12 2024-06-13",
            "192.168.100.200 10.0.0.255",
            "05:30 - 06:30 - 07:30 - 08:30",
            "+5 +3 -2 +100000",
            "100 200 3000 400",
            "DE 2024 yılı 12 Mayıs 2024 saat 15",
            "01.05.2024 14.30",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
