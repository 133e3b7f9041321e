//! Adds Turkish suffixes to names, by vowel harmony. Layer: world; pure.
//!
//! # Source
//! Turkish Language Institute, spelling guide: an apostrophe separates suffixes from proper names.

/// A case of the Turkish noun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// "To Deniz": Deniz'e.
    Dative,
    /// "Of Deniz": Deniz'in.
    Genitive,
    /// "Deniz" as an object: Deniz'i.
    Accusative,
    /// "From Deniz": Deniz'den.
    Ablative,
}

/// Puts a name into a case; `apostrophe` is `'` or `’`. A name without vowels is returned as it is.
pub fn suffixed(name: &str, case: Case, apostrophe: char) -> String {
    let letters: Vec<char> =
        name.chars().map(|c| if c == 'I' { 'ı' } else { c.to_lowercase().next().unwrap_or(c) }).collect();
    let Some(vowel) = letters.iter().rev().copied().find(|c| is_vowel(*c)) else {
        return name.to_owned();
    };
    let last = letters.last().copied().unwrap_or(vowel);
    let open = is_vowel(last);
    let wide = if matches!(vowel, 'a' | 'ı' | 'o' | 'u' | 'â') { 'a' } else { 'e' };
    let narrow = match vowel {
        'a' | 'ı' | 'â' => 'ı',
        'o' | 'u' => 'u',
        'ö' | 'ü' => 'ü',
        _ => 'i',
    };
    let suffix = match case {
        Case::Dative if open => format!("y{wide}"),
        Case::Dative => wide.to_string(),
        Case::Genitive if open => format!("n{narrow}n"),
        Case::Genitive => format!("{narrow}n"),
        Case::Accusative if open => format!("y{narrow}"),
        Case::Accusative => narrow.to_string(),
        Case::Ablative if matches!(last, 'f' | 's' | 't' | 'k' | 'ç' | 'ş' | 'h' | 'p') => {
            format!("t{wide}n")
        }
        Case::Ablative => format!("d{wide}n"),
    };
    format!("{name}{apostrophe}{suffix}")
}

fn is_vowel(c: char) -> bool {
    matches!(c, 'a' | 'e' | 'ı' | 'i' | 'o' | 'ö' | 'u' | 'ü' | 'â')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_follow_the_last_vowel_and_the_last_letter() {
        let cases = [
            ("Deniz", Case::Dative, "Deniz'e"),
            ("Zeynep", Case::Genitive, "Zeynep'in"),
            ("Ayşe", Case::Dative, "Ayşe'ye"),
            ("Ali", Case::Genitive, "Ali'nin"),
            ("Burak", Case::Ablative, "Burak'tan"),
            ("Umut", Case::Genitive, "Umut'un"),
            ("Gül", Case::Accusative, "Gül'ü"),
            ("IŞIL", Case::Accusative, "IŞIL'ı"),
            ("Bilge", Case::Accusative, "Bilge'yi"),
            ("Mert", Case::Ablative, "Mert'ten"),
            ("Ay", Case::Ablative, "Ay'dan"),
        ];
        for (name, case, wanted) in cases {
            assert_eq!(suffixed(name, case, '\''), wanted);
        }
        assert_eq!(suffixed("Zeynep", Case::Genitive, '’'), "Zeynep’in");
        assert_eq!(suffixed("XYZ", Case::Dative, '\''), "XYZ");
    }
}
