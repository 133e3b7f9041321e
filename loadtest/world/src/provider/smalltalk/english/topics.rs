//! Lists topics in English: their stems, statements and questions. Layer: world; data only.

use super::super::phrases::Topic;

/// All English topics.
pub(super) const TOPICS: &[Topic] = &[
    Topic {
        stems: &["tea", "teapot", "earl grey", "kettle"],
        noun: "tea",
        facts: &[
            "anything brewed for less than four minutes is just warm water.",
            "loose leaves ruined tea bags for me for good.",
            "the right mug does half of the work.",
            "I gave up sugar and only then noticed the taste.",
        ],
        asks: &["milk or no milk?", "how many cups a day is it for you?"],
    },
    Topic {
        stems: &["coffee", "espresso", "latte", "barista", "beans"],
        noun: "coffee",
        facts: &[
            "a coffee after four and I stare at the ceiling all night.",
            "grinding the beans yourself makes the whole difference.",
            "the cheap office machine somehow still wins on Mondays.",
            "good crema is mostly about fresh beans.",
        ],
        asks: &["how do you take yours?", "at home or in a café?"],
    },
    Topic {
        stems: &["football", "soccer", "match", "goal", "referee", "derby", "penalty", "league"],
        noun: "football",
        facts: &[
            "nothing hurts like a goal in the last minute.",
            "we talk so much about referees that we forget the game.",
            "whoever owns the midfield usually takes the points.",
            "no screen replaces a wet evening in the stands.",
        ],
        asks: &["did you catch the match last night?", "who wins the league this year?"],
    },
    Topic {
        stems: &["book", "novel", "author", "reading", "poem", "poetry", "library", "chapter"],
        noun: "books",
        facts: &[
            "if fifty pages do not grip me, I put it down.",
            "second-hand copies have the best smell.",
            "ten pages before bed fixed my sleep.",
            "a poor translation can sink even a great novel.",
        ],
        asks: &["what are you reading now?", "paper or screen?"],
    },
    Topic {
        stems: &["weather", "rain", "sunny", "snow", "wind", "storm", "cloud", "heatwave"],
        noun: "the weather",
        facts: &[
            "it only stays dry on days when I carry an umbrella.",
            "the smell after rain is worth getting wet for.",
            "coat in the morning, T-shirt at noon, that is the season now.",
            "a north wind makes our street unlivable.",
        ],
        asks: &["how is it where you are?", "summer or winter person?"],
    },
    Topic {
        stems: &["rust", "code", "coding", "compiler", "software", "program", "borrow", "python", "server", "bug"],
        noun: "programming",
        facts: &[
            "the compiler and I argue, and it usually has a point.",
            "the best code is the code you dared to delete.",
            "nothing without tests goes live on a Friday.",
            "reading the error to its end solves half of the problem.",
        ],
        asks: &["which language do you work in?", "tests first or tests later?"],
    },
    Topic {
        stems: &["music", "song", "concert", "guitar", "album", "piano", "band", "vinyl", "playlist"],
        noun: "music",
        facts: &[
            "the crackle of an old record calms me down.",
            "a song heard on a journey keeps that road in it.",
            "small mistakes are what makes a concert alive.",
            "I still buy albums and hear them from start to end.",
        ],
        asks: &["what is on your playlist these days?", "do you play anything yourself?"],
    },
    Topic {
        stems: &["cook", "recipe", "soup", "pasta", "kitchen", "dinner", "bake", "bread", "spice", "food"],
        noun: "cooking",
        facts: &[
            "take your time with the onions and the rest follows.",
            "a squeeze of lemon rescues almost any soup.",
            "whenever I follow a recipe to the letter, something is missing.",
            "bread dough can tell when you are in a hurry.",
        ],
        asks: &["what is your best dish?", "how hot do you like it?"],
    },
    Topic {
        stems: &["travel", "trip", "holiday", "train", "flight", "hotel", "suitcase", "camping", "vacation", "journey"],
        noun: "travelling",
        facts: &[
            "by train the journey itself is part of the holiday.",
            "the trips I did not plan were the good ones.",
            "one small bag is enough, everything else is weight.",
            "in a new town I go to the market first.",
        ],
        asks: &["any plans for the summer?", "sea or mountains?"],
    },
    Topic {
        stems: &["meeting", "office", "boss", "salary", "deadline", "colleague", "monday", "remote work", "job"],
        noun: "work",
        facts: &[
            "most half-hour meetings are one message long.",
            "nobody should be asked anything important on a Monday morning.",
            "working from home, I never know when the day is over.",
            "a good team makes even a dull job bearable.",
        ],
        asks: &["home or office for you?", "how many meetings today?"],
    },
    Topic {
        stems: &["cat", "kitten", "purr", "whisker", "tabby"],
        noun: "cats",
        facts: &[
            "mine will not let me work unless it lies on the keyboard.",
            "it takes the box and ignores the toy that came in it.",
            "I live with somebody who demands breakfast at five.",
            "the cat chooses you, never the other way round.",
        ],
        asks: &["do you have one?", "indoor or outdoor?"],
    },
    Topic {
        stems: &["dog", "puppy", "leash", "bark"],
        noun: "dogs",
        facts: &[
            "walk a dog for a month and you know the whole neighbourhood.",
            "that welcome at the door repays any bad day.",
            "training takes patience, and it pays back double.",
        ],
        asks: &["are you on the cat side or the dog side?", "how many walks a day?"],
    },
    Topic {
        stems: &["film", "movie", "cinema", "series", "actor", "director", "episode", "season"],
        noun: "films",
        facts: &[
            "trailers give away half of the story these days.",
            "black and white films age better than expected.",
            "most series should stop after the second season.",
            "a phone lighting up in the dark still drives me mad.",
        ],
        asks: &["what did you see last?", "subtitles or dubbed?"],
    },
    Topic {
        stems: &["garden", "flower", "tomato", "plant", "balcony", "seed"],
        noun: "gardening",
        facts: &[
            "a tomato from the balcony has nothing to do with the shop kind.",
            "too much water kills more plants than too little.",
            "an hour in the soil and my head is quiet again.",
        ],
        asks: &["what grows at your place?", "which plant did you never manage to keep?"],
    },
    Topic {
        stems: &["game", "chess", "console", "backgammon", "puzzle", "dice"],
        noun: "games",
        facts: &[
            "in chess impatience is the most expensive mistake.",
            "one more round, I say, and then it is morning.",
            "the best board games fit on a small table.",
        ],
        asks: &["who do you usually beat?", "which one did you finish last?"],
    },
    Topic {
        stems: &["sleep", "tired", "nap", "alarm", "insomnia", "awake"],
        noun: "sleep",
        facts: &[
            "my nights improved once the phone left the bedroom.",
            "twenty minutes after lunch make a new person of me.",
            "pressing snooze five times does not count as rest.",
        ],
        asks: &["when do you get up?", "night owl or early bird?"],
    },
    Topic {
        stems: &[
            "stock",
            "market",
            "dollar",
            "gold",
            "share",
            "inflation",
            "crypto",
            "bitcoin",
            "invest",
            "interest rate",
        ],
        noun: "the market",
        facts: &[
            "when everybody buys, I like to wait a little.",
            "gold is dull, and that is what I like about it.",
            "news moves the week, earnings move the decade.",
            "I never put in money that I cannot afford to lose.",
        ],
        asks: &["are you in it for the long run?", "will this rally last?"],
    },
    Topic {
        stems: &["traffic", "city", "subway", "metro", "bus", "ferry", "commute", "london", "berlin", "istanbul"],
        noun: "city life",
        facts: &[
            "a ferry ride beats any other commute.",
            "a new tram line changed our whole district.",
            "two hours in traffic would be a whole audiobook.",
            "any city is at its best on Sunday at seven.",
        ],
        asks: &["how do you get to work?", "could you live in a small town?"],
    },
    Topic {
        stems: &["running", "run", "gym", "cycling", "bike", "swim", "marathon", "training", "sport", "yoga"],
        noun: "sport",
        facts: &[
            "the first two kilometres are always misery, then it opens up.",
            "on a bike you notice every hill you never saw.",
            "joining a gym is easy, the second week is the test.",
        ],
        asks: &["how many days a week?", "mornings or evenings?"],
    },
    Topic {
        stems: &["robot", "artificial", "chatbot", "language model", "machine learning"],
        noun: "artificial intelligence",
        facts: &[
            "sounding sure of yourself is not the same as being right.",
            "hand over the dull jobs and you get time to think.",
            "what it should not do interests me more than what it can.",
        ],
        asks: &["do you use it every day?", "is it overrated, you think?"],
    },
    Topic {
        stems: &["history", "museum", "roman", "ancient", "empire", "medieval", "castle"],
        noun: "history",
        facts: &[
            "standing by an old wall and counting centuries never gets old.",
            "rushing through a museum is like reading only the cover.",
            "the kitchens of a castle tell more than its halls.",
        ],
        asks: &["which age would you live in?", "what is your favourite museum?"],
    },
    Topic {
        stems: &["space", "star", "planet", "telescope", "mars", "moon", "galaxy"],
        noun: "space",
        facts: &[
            "one night in the country shows what the city hides from us.",
            "that this light left thousands of years ago still amazes me.",
            "Mars is nice, but let us tidy up here first.",
        ],
        asks: &["have you ever looked through a telescope?", "is anybody out there?"],
    },
    Topic {
        stems: &["language", "german", "turkish", "spanish", "grammar", "vocabulary", "accent", "pronunciation"],
        noun: "learning languages",
        facts: &[
            "whoever is not afraid of mistakes learns twice as fast.",
            "ten minutes a day beat one hour a week.",
            "words I learned from songs never leave me.",
        ],
        asks: &["which one are you learning now?", "what was the hardest part?"],
    },
];
