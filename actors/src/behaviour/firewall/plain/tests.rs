//! Claims about plain text.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::*;

#[test]
fn markup_becomes_what_it_says() {
    for (said, sent) in [
        ("**bold** and __very bold__ text", "bold and very bold text"),
        ("I *really* mean _it_.", "I really mean it."),
        ("***both*** of **them *and* these**", "both of them and these"),
        ("**a *b***", "a b"),
        ("**kahve**yi severim, **Ada**'nın da", "kahveyi severim, Ada'nın da"),
        ("**Note:** read it", "Note: read it"),
        ("Not:**önemli**", "Not:önemli"),
        ("* **Tea**: hot\n* **Ice**: cold", "* Tea: hot\n* Ice: cold"),
        ("use `snake_case` and ``a`b``", "use snake_case and a`b"),
        ("`**kept**`", "**kept**"),
        ("look:\n```rust\nlet a = b * c * d;\n```\nfine", "look:\nlet a = b * c * d;\nfine"),
        ("```\n# no heading\n", "# no heading\n"),
        ("# Title\ntext\n### Sub title", "Title\ntext\nSub title"),
        ("[here](https://a.b/c_d_(e))", "here (https://a.b/c_d_(e))"),
        ("[**here**](https://a.b)", "here (https://a.b)"),
        ("[https://a.b/](https://a.b)", "https://a.b"),
        ("![cat](https://a.b/cat.png)", "cat (https://a.b/cat.png)"),
        ("see <https://a.b/c>", "see https://a.b/c"),
        ("one<br>two<br/>\nthree", "one\ntwo\nthree"),
        ("<p>one</p><p>two</p>", "one\ntwo\n"),
        ("<b>bold</b> <i>it</i> <code>a_b_c</code>", "bold it a_b_c"),
        ("<a href=\"https://a.b\">here</a>", "here (https://a.b)"),
        ("salt &amp; pepper &lt;3 it&#39;s &quot;ok&quot; &#x1F600;", "salt & pepper <3 it's \"ok\" 😀"),
        ("https://a.b/?x=1&amp;y=2", "https://a.b/?x=1&y=2"),
        ("First line.\\nSecond line\\n\\nThird", "First line.\nSecond line\n\nThird"),
        ("selam\\nnasılsın?", "selam\nnasılsın?"),
        ("not \\*bold\\* and snake\\_case", "not *bold* and snake_case"),
        ("çok *güzel* 🙂 **şey**", "çok güzel 🙂 şey"),
    ] {
        assert_eq!(plain(said).0, sent, "{said:?}");
    }
}

#[test]
fn what_is_no_markup_or_says_something_stays() {
    for text in [
        "snake_case_name and __init__ and _private",
        "2*3*4 = 24, 2 * 3 * 4, 2**3**4, x**2 + (a)**2 + (b)**2",
        "#c45 evet #m123",
        "#m12 #c34",
        "#one tag",
        "f(*args, **kwargs)",
        "f**k and s**t",
        "¯\\_(ツ)_/¯",
        "(*_*) ^_^ -_- o_o *_* >_< u_u",
        "/\\_/\\\n( o.o )\n > ^ <",
        "*sighs* fine",
        "Well. *shrugs* no idea",
        "~~never~~ always",
        "||spoiler||",
        "> quoted\nanswer",
        "* one\n* two\n- three\n1. four",
        "C:\\new\\_folder\\notes",
        "use \\n for a new line, or \"\\n\"",
        "https://a.b/_foo_/*bar*?x=_y_&z=*",
        "@ada_bot and @tom_bot",
        "AT&T & co; a &unknown; b",
        "i <3 tea; a<b and c>d; <b> alone; <unknown>x</unknown>",
        "[şaka](komik) [a][b] [x] (y)",
        "5* hotel, 4* food",
        "a ` b and ** c",
        "| a | b |",
        "**** ****",
        "/usr/_x_/lib",
    ] {
        // Bare addresses with stars end at the star, and the rest is text like any other.
        assert_eq!(plain(text).0, text);
    }
}

#[test]
fn what_was_marked_is_told_beside_the_text() {
    for (said, marked) in [
        ("çok *güzel* ve **kahve**yi", vec![("güzel", "italic"), ("kahve", "bold")]),
        ("***both*** of `a*b`", vec![("both", "bold"), ("both", "italic"), ("a*b", "code")]),
        ("**them *and* these**", vec![("and", "italic"), ("them and these", "bold")]),
        ("look:\n```rust\nlet a;\n```\nfine", vec![("let a;\n", "pre")]),
        ("<b>bold</b> <u>line</u> <span>x</span>", vec![("bold", "bold"), ("line", "underline")]),
        ("[**https://a.b**](https://a.b). *sighs* and 2*3*4", vec![]),
        ("**see `x` now**", vec![("x", "code"), ("see ", "bold"), (" now", "bold")]),
        ("<pre><code>a b</code></pre>", vec![("a b", "pre")]),
        ("plain", vec![]),
    ] {
        let (text, spans) = plain(said);
        let told: Vec<_> = spans.iter().map(|(bytes, kind)| (&text[bytes.clone()], *kind)).collect();
        assert_eq!(told, marked, "{said:?}");
    }
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

proptest! {
    #[test]
    fn marks_alone_are_taken_off(text in "([a-cğİı🙂 \n.,:*_#>~|()\\[\\]`-]|\\*\\*|__|```\n|#m1 ){0,60}") {
        let plain = plain(&text).0;
        prop_assert_eq!(letters(&plain), letters(&text));
        prop_assert!(plain.len() <= text.len());
    }

    #[test]
    fn any_text_is_read_without_panic(text in "(\\PC|[*_`<>&\\[\\]()\\\\n#!]|<b>|</b>|<br|&amp;|https://|\\\\n){0,80}") {
        drop(plain(&text));
    }

    #[test]
    fn a_text_without_marks_is_what_it_was(text in "[^*_`<&\\[\\\\#]{0,80}") {
        prop_assert_eq!(plain(&text).0, text.as_str());
    }

    #[test]
    fn code_and_addresses_stand_as_they_were(code in "[a-z_*]{1,12}", path in "[a-z_/]{1,12}") {
        let (said, sent) = (format!("x `{code}` y https://a.b/{path} z"), format!("x {code} y https://a.b/{path} z"));
        prop_assert_eq!(plain(&said).0, sent);
    }
}
