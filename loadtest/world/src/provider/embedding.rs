//! Computes deterministic embeddings from hashed words and letter trigrams; similar texts are near. Layer: world.

use super::wire::{ApiError, EmbeddingInput, EmbeddingRequest};

/// The length of vectors when the request does not say.
const DEFAULT_DIMENSIONS: usize = 256;
/// The longest vector that a request may ask for.
const MOST_DIMENSIONS: usize = 4096;
/// The largest number of texts in one request. Source: `OpenAI` API reference, embeddings, `input`.
const MOST_TEXTS: usize = 2048;
/// The weight of a whole word; one of its trigrams weighs 1.
const WORD_WEIGHT: f32 = 2.0;

/// Reads the texts and the length of the vectors.
///
/// # Errors
/// Refuses no or too many texts, an empty text and a length outside 1-4096.
pub(super) fn read(request: &EmbeddingRequest) -> Result<(&[String], usize), ApiError> {
    let texts = match &request.input {
        EmbeddingInput::One(text) => std::slice::from_ref(text),
        EmbeddingInput::Many(texts) => texts.as_slice(),
    };
    if texts.is_empty() || texts.len() > MOST_TEXTS || texts.iter().any(String::is_empty) {
        return Err(ApiError::invalid("'$.input' is invalid.", Some("input")));
    }
    let dimensions = request.dimensions.unwrap_or(DEFAULT_DIMENSIONS);
    if dimensions == 0 || dimensions > MOST_DIMENSIONS {
        return Err(ApiError::invalid("'$.dimensions' is invalid.", Some("dimensions")));
    }
    Ok((texts, dimensions))
}

/// Embeds a text as a vector of length 1; a text without letters and digits becomes the first axis.
pub fn embed(text: &str, dimensions: usize) -> Vec<f32> {
    let mut vector = vec![0.0_f32; dimensions.max(1)];
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let letters: Vec<char> = std::iter::once('^').chain(word.chars().flat_map(fold)).chain(['$']).collect();
        add(&mut vector, &letters, WORD_WEIGHT);
        for trigram in letters.windows(3) {
            add(&mut vector, trigram, 1.0);
        }
    }
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length > 0.0 {
        for x in &mut vector {
            *x /= length;
        }
    } else {
        vector[0] = 1.0;
    }
    vector
}

/// Folds case. The four Turkish letters I become one, so that no locale is needed.
fn fold(letter: char) -> impl Iterator<Item = char> {
    let letter = if matches!(letter, 'I' | 'İ' | 'ı') { 'i' } else { letter };
    letter.to_lowercase()
}

/// Adds a hashed feature with a hashed sign.
fn add(vector: &mut [f32], letters: &[char], weight: f32) {
    // FNV-1a, and then a finaliser, because the low bits of FNV alone are poor.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for letter in letters {
        hash = (hash ^ u64::from(u32::from(*letter))).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    let index = usize::try_from((hash >> 1) % vector.len() as u64).unwrap_or(0);
    vector[index] += if hash & 1 == 0 { weight } else { -weight };
}

/// Writes a vector as base64 of little-endian floats, as `encoding_format: base64` requires.
pub(super) fn base64(vector: &[f32]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let at = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            if place <= group.len() {
                text.push(char::from(ALPHABET[(bits >> (18 - 6 * place)) as usize & 63]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn likeness(a: &str, b: &str) -> f32 {
        embed(a, 256).iter().zip(embed(b, 256)).map(|(x, y)| x * y).sum()
    }

    #[test]
    fn similar_texts_are_near_and_others_far() {
        let near = likeness("I drink black tea every morning", "black tea in the morning, every day");
        let far = likeness("I drink black tea every morning", "the derby ended without a goal");
        assert!(near > 0.5 && far < 0.3, "{near} {far}");
    }

    #[test]
    fn turkish_case_does_not_matter() {
        assert!(likeness("ILIK İSTANBUL AKŞAMI", "ılık istanbul akşamı") > 0.999);
    }

    #[test]
    fn vectors_have_length_one_and_never_change() {
        for text in ["tea", "", "!?"] {
            let vector = embed(text, 64);
            assert!((vector.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5);
            assert_eq!(vector, embed(text, 64));
        }
    }

    #[test]
    fn base64_pads_as_it_must() {
        assert_eq!(base64(&[1.0]), "AACAPw==");
        assert_eq!(base64(&[1.0, -2.5, 0.0]), "AACAPwAAIMAAAAAA");
    }
}
