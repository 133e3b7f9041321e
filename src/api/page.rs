//! The reference as a web page, without a script. Layer `api`.

use std::fmt::Write as _;

/// The reference, as it is committed: a test tells when it is stale.
const REFERENCE: &str = include_str!("../../docs/API.md");

const HEAD: &str = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
    <meta name=\"viewport\" content=\"width=device-width\">\n<title>botfleet: the HTTP API</title>\n\
    <link rel=\"stylesheet\" href=\"/docs/style.css\">\n</head>\n<body>\n<main>\n";

/// The page's style.
pub const STYLE: &str = "\
:root { color-scheme: light dark; }\n\
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0; }\n\
main { max-width: 64rem; margin: 0 auto; padding: 1rem; }\n\
h2 { margin-top: 3rem; border-bottom: 1px solid; }\n\
h3 { margin-top: 2rem; }\n\
pre, .wide { overflow-x: auto; }\n\
pre { padding: .75rem; border: 1px solid; border-radius: .25rem; }\n\
pre, code { font-size: .875rem; }\n\
table { border-collapse: collapse; }\n\
th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid; }\n\
code { overflow-wrap: anywhere; }\n\
@media (max-width: 40rem) {\n\
  tr { display: block; padding: .5rem 0; border-bottom: 1px solid; }\n\
  tr:has(th) { display: none; }\n\
  td { display: block; padding: 0; border: 0; }\n\
}\n";

/// Makes the page.
pub fn html() -> String {
    let mut html = String::from(HEAD);
    let mut lines = REFERENCE.lines().peekable();
    while let Some(line) = lines.next() {
        // Writing to a String cannot fail.
        if line.starts_with("```") {
            let code: Vec<&str> = lines.by_ref().take_while(|line| !line.starts_with("```")).collect();
            let _ = writeln!(html, "<pre>{}</pre>", escaped(&code.join("\n")));
        } else if let Some(heading) = line.strip_prefix("### ") {
            let _ = writeln!(html, "<h3 id=\"{0}\">{0}</h3>", escaped(heading));
        } else if let Some(heading) = line.strip_prefix("## ") {
            let _ = writeln!(html, "<h2>{}</h2>", escaped(heading));
        } else if let Some(heading) = line.strip_prefix("# ") {
            let _ = writeln!(html, "<h1>{}</h1>", escaped(heading));
        } else if line.starts_with('|') {
            html.push_str("<div class=\"wide\"><table>\n");
            row(&mut html, "th", line);
            while let Some(line) = lines.next_if(|line| line.starts_with('|')) {
                if !line.starts_with("|---") {
                    row(&mut html, "td", line);
                }
            }
            html.push_str("</table></div>\n");
        } else if !line.is_empty() {
            let mut paragraph = line.to_owned();
            while let Some(more) = lines.next_if(|line| !line.is_empty()) {
                paragraph = format!("{paragraph} {more}");
            }
            let _ = writeln!(html, "<p>{}</p>", inline(&paragraph));
        }
    }
    html.push_str("</main>\n</body>\n</html>\n");
    html
}

fn row(html: &mut String, cell: &str, line: &str) {
    html.push_str("<tr>");
    for text in line.trim_matches('|').split('|') {
        let _ = write!(html, "<{cell}>{}</{cell}>", inline(text.trim()));
    }
    html.push_str("</tr>\n");
}

/// Writes a line with its code and links.
fn inline(text: &str) -> String {
    let mut html = String::new();
    for (at, part) in escaped(text).split('`').enumerate() {
        let _ = if at % 2 == 1 { write!(html, "<code>{part}</code>") } else { write!(html, "{part}") };
    }
    let Some((before, rest)) = html.split_once("[<code>") else { return html };
    let Some((name, rest)) = rest.split_once("</code>](#") else { return html };
    let Some((anchor, after)) = rest.split_once(')') else { return html };
    format!("{before}<a href=\"#{anchor}\"><code>{name}</code></a>{after}")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_holds_every_route_and_no_script() {
        let html = html();
        assert!(html.contains("<a href=\"#stop\"><code>POST /api/v1/control/stop</code></a>"), "{html}");
        assert!(html.contains("<h3 id=\"stop\">stop</h3>"), "{html}");
        assert!(!html.contains("<script") && !html.contains("style=") && !html.contains('`'), "{html}");
    }

    #[test]
    fn text_is_no_markup() {
        assert_eq!(inline("a <b> & `c<d`"), "a &lt;b&gt; &amp; <code>c&lt;d</code>");
    }
}
