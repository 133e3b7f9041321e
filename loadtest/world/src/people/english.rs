//! Lists people's lines in English. Layer: world; data only.

use super::lines::{Lines, TopicLines};

/// All English lines.
pub(super) const LINES: Lines = Lines {
    topics: &[
        TopicLines {
            statements: &[
                "third cup of tea today and I am still asleep",
                "I cannot start the day without black tea",
                "the new tea I bought tastes of nothing",
            ],
            questions: &[
                "how long do you brew your tea?",
                "tea or coffee, what do you think?",
                "does anyone here like earl grey?",
            ],
        },
        TopicLines {
            statements: &[
                "the referee ruined the match last night",
                "we lost the derby in the last minute, unbelievable",
                "our midfield is hopeless this season",
            ],
            questions: &[
                "did anyone watch the match yesterday?",
                "who wins the league this year?",
                "was that really a penalty?",
            ],
        },
        TopicLines {
            statements: &[
                "this novel kept me up until two",
                "found three old books at the flea market",
                "I have not read poetry for ages",
            ],
            questions: &[
                "what book are you reading these days?",
                "can you suggest a novel for the holidays?",
                "does anyone else leave books half read?",
            ],
        },
        TopicLines {
            statements: &[
                "it has been raining here since morning",
                "perfect weather for a long walk",
                "the wind knocked over my flower pot",
            ],
            questions: &[
                "how is the weather at your place?",
                "is it going to rain at the weekend?",
                "summer or winter?",
            ],
        },
        TopicLines {
            statements: &[
                "I started learning Rust and the compiler hates me",
                "deleted half of my code today, felt great",
                "the server went down at midnight again",
            ],
            questions: &[
                "where should one start with Rust?",
                "do you write tests for your code?",
                "which language would you learn first?",
            ],
        },
        TopicLines {
            statements: &[
                "the concert last night was wonderful",
                "broke a guitar string and have no spare",
                "listening to old albums from the start",
            ],
            questions: &[
                "what music are you listening to lately?",
                "does anyone play music while working?",
                "what is the best song for a long drive?",
            ],
        },
        TopicLines {
            statements: &[
                "I baked bread and the kitchen is full of flour",
                "lentil soup is all I need in this weather",
                "burned the rice again",
            ],
            questions: &[
                "what should I cook tonight?",
                "is there a trick for good pasta?",
                "how hot do you like your food?",
            ],
        },
        TopicLines {
            statements: &[
                "I want to cross the country by train",
                "leaving tomorrow and my suitcase is still empty",
                "three days of camping without a phone, bliss",
            ],
            questions: &[
                "does anyone have plans for the holidays?",
                "train or plane?",
                "can you recommend a quiet seaside town?",
            ],
        },
        TopicLines {
            statements: &[
                "four meetings today and no work done",
                "the boss found something new on Friday evening",
                "working from home never ends",
            ],
            questions: &[
                "do you work from home or in an office?",
                "how do you stay awake in meetings?",
                "has anyone found a cure for Mondays?",
            ],
        },
        TopicLines {
            statements: &[
                "the cat is asleep on my keyboard again",
                "my cat wants breakfast at five every day",
                "bought a toy for the cat, it plays with the box",
            ],
            questions: &[
                "does anyone here have a cat?",
                "is it fine to leave a cat alone for a day?",
                "do your cats run around at night too?",
            ],
        },
        TopicLines {
            statements: &[
                "the film I saw yesterday had a terrible ending",
                "watched three episodes of that series in a row",
                "someone talked through the whole movie",
            ],
            questions: &[
                "can you suggest a film for tonight?",
                "has anyone seen the new season?",
                "subtitles or dubbed?",
            ],
        },
        TopicLines {
            statements: &[
                "took the ferry today, what a view",
                "two hours in traffic, I give up",
                "the metro broke down again",
            ],
            questions: &[
                "would you live in a big city?",
                "how do you get to work?",
                "is traffic bad everywhere right now?",
            ],
        },
    ],
    replies: &[
        "totally agree",
        "I am not so sure about that",
        "you are right",
        "that made me laugh 😂",
        "I did not know that",
        "are you certain? sounds wrong to me",
        "well said",
        "true, but a bit exaggerated",
        "noted, thanks",
        "where did that come from?",
        "the same thing happened to me",
        "no way, really?",
    ],
    addresses: &["{b},", "{@}", "{b}, tell us,", "hey {b},", "{b}, listen,", "{@} I am asking you,"],
    about_bots: &[
        "I think {b} is right about that",
        "I am with {b} on this one",
        "listen to {b} and you will not regret it",
        "I heard that from {b}",
        "let us ask {b}",
        "what {b} said yesterday is still on my mind",
        "{b} is rather quiet today",
        "{p}, what do you make of {b}?",
        "waiting for a comment from {b}",
        "if I were {b} I would keep quiet 😄",
    ],
    chatter: &[
        "hello everyone",
        "good morning all ☀️",
        "is anybody here?",
        "I am back, what did I miss?",
        "so tired today",
        "good night everyone",
        "come on, let us talk a little",
        "{p}, how are you today?",
        "{p}, where were you yesterday?",
        "thought I would take a short break",
        "thanks everybody",
        "I am bored, tell me something",
    ],
    openers: &["well", "folks", "by the way", "honestly", "so", "guys", "look", "okay", "hmm", "ugh"],
};
