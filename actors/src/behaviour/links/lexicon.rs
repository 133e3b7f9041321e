//! Closed classes of words that tell what a message does, Turkish and English, folded. Layer `behaviour`.

/// Bits that tell what a message does.
pub(super) mod traits {
    /// Asks something, by its mark or by its first words.
    pub(in super::super) const ASKS: u32 = 1;
    /// Holds a question mark.
    pub(in super::super) const QUESTION_MARK: u32 = 1 << 1;
    /// Greets or takes leave.
    pub(in super::super) const GREETS: u32 = 1 << 2;
    /// Thanks.
    pub(in super::super) const THANKS: u32 = 1 << 3;
    /// Begins with yes, no, ok and the like.
    pub(in super::super) const AGREES: u32 = 1 << 4;
    /// Holds a link.
    pub(in super::super) const URL: u32 = 1 << 5;
    /// Is an order for a bot.
    pub(in super::super) const COMMAND: u32 = 1 << 6;
    /// Tells what its author does.
    pub(in super::super) const ACTION: u32 = 1 << 7;
    /// Ends as if more were to come.
    pub(in super::super) const OPEN_END: u32 = 1 << 8;
    /// Begins as if something went before.
    pub(in super::super) const CONTINUES: u32 = 1 << 9;
    /// Says you.
    pub(in super::super) const YOU: u32 = 1 << 10;
    /// Says I.
    pub(in super::super) const ME: u32 = 1 << 11;
    /// Says it, this or that.
    pub(in super::super) const IT: u32 = 1 << 12;
    /// Turns to everybody.
    pub(in super::super) const ROOM: u32 = 1 << 13;
    /// Laughs.
    pub(in super::super) const LAUGHS: u32 = 1 << 14;
    /// Begins with a word marked as an address: "name: ...".
    pub(in super::super) const HEADED: u32 = 1 << 15;
    /// Holds digits, slashes, brackets: something to be typed.
    pub(in super::super) const TECHNICAL: u32 = 1 << 16;
}

const ASKING: &[&str] = &[
    "how", "what", "whats", "why", "where", "who", "when", "which", "can", "could", "does", "do", "did", "is", "are",
    "has", "have", "should", "would", "will", "any", "nasil", "ne", "neden", "niye", "nerede", "nereye", "kim",
    "hangi", "kac", "kaç", "niçin", "ya",
];
/// Turkish particles that make a question anywhere.
const PARTICLES: &[&str] = &["mi", "mu", "mü", "misin", "musun", "müsün", "misiniz", "miyim", "midir", "mudur"];
const GREETING: &[&str] = &[
    "hi",
    "hello",
    "hey",
    "hiya",
    "yo",
    "morning",
    "evening",
    "greetings",
    "howdy",
    "bye",
    "cya",
    "night",
    "welcome",
    "merhaba",
    "selam",
    "selamlar",
    "slm",
    "mrb",
    "günaydin",
    "naber",
    "nbr",
    "iyi",
    "hoşgeldin",
    "hoş",
    "görüşürüz",
    "bay",
    "sa",
    "as",
];
const THANKING: &[&str] = &[
    "thanks",
    "thank",
    "thx",
    "ty",
    "tnx",
    "thanx",
    "cheers",
    "teşekkür",
    "teşekkürler",
    "sağol",
    "saol",
    "tşk",
    "tsk",
    "eyvallah",
    "mersi",
];
const AGREEING: &[&str] = &[
    "yes", "yeah", "yep", "yup", "ya", "no", "nope", "nah", "ok", "okay", "k", "sure", "right", "true", "exactly",
    "ah", "oh", "hmm", "cool", "nice", "evet", "hayir", "tamam", "tmm", "olur", "aynen", "yok", "he", "hee", "hm",
    "doğru", "peki", "tabi", "tabii",
];
const CONTINUING: &[&str] = &[
    "and", "but", "or", "so", "because", "then", "also", "though", "unless", "which", "ve", "ama", "fakat", "veya",
    "çünkü", "yani", "ayrica", "hem", "bir", "sonra",
];
const YOU: &[&str] =
    &["you", "your", "u", "ur", "youre", "yourself", "sen", "sana", "seni", "senin", "siz", "size", "sende", "senden"];
const ME: &[&str] =
    &["i", "im", "ive", "my", "me", "mine", "ill", "id", "ben", "bana", "beni", "benim", "bende", "benden", "biz"];
const IT: &[&str] = &["it", "that", "this", "its", "thats", "those", "them", "bu", "şu", "o", "onu", "bunu", "öyle"];
const ROOM: &[&str] = &[
    "anyone",
    "anybody",
    "everyone",
    "everybody",
    "someone",
    "somebody",
    "all",
    "guys",
    "folks",
    "people",
    "herkes",
    "herkese",
    "kimse",
    "biri",
    "birisi",
    "arkadaşlar",
    "millet",
    "beyler",
    "gençler",
    "bilen",
    "var",
];
const LAUGHING: &[&str] =
    &["lol", "rofl", "lmao", "haha", "hahaha", "hehe", "heh", "xd", ":)", ";)", ":d", ":p", ":-)", "^^", "😂", "🤣"];

/// Returns the bits of a word, by its place.
pub(super) fn of_word(word: &str, place: usize) -> u32 {
    let first = place == 0;
    let early = place < 3;
    let mut bits = 0;
    let mut set = |holds: bool, bit: u32| bits |= if holds { bit } else { 0 };
    set(early && ASKING.contains(&word), traits::ASKS);
    set(PARTICLES.contains(&word), traits::ASKS);
    set(early && GREETING.contains(&word), traits::GREETS);
    set(THANKING.contains(&word), traits::THANKS);
    set(early && AGREEING.contains(&word), traits::AGREES);
    set(first && CONTINUING.contains(&word), traits::CONTINUES);
    set(YOU.contains(&word), traits::YOU);
    set(ME.contains(&word), traits::ME);
    set(IT.contains(&word), traits::IT);
    set(ROOM.contains(&word), traits::ROOM);
    set(LAUGHING.contains(&word), traits::LAUGHS);
    bits
}
