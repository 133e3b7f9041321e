//! Reads the base URL of a provider, as people write it. Layer `adapters`; pure.

use reqwest::Url;

/// Endpoints at the end of addresses that people copy from documentation: the adapter adds its own.
const ENDPOINTS: [&str; 6] = ["/chat/completions", "/completions", "/embeddings", "/models", "/responses", "/messages"];

/// A usable address, with a warning about anything odd in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    /// Address up to and with the version, without a slash at its end.
    pub url: String,
    /// Something that should be looked at, and the remedy.
    pub warning: Option<(String, String)>,
}

impl BaseUrl {
    /// Reads an address: blanks around it, slashes behind it and an endpoint at its end do not matter.
    ///
    /// # Errors
    /// The fault of the address, and the remedy.
    pub fn read(text: &str) -> Result<Self, (&'static str, &'static str)> {
        const REMEDY: &str = "write it as https://host/v1";
        let bare = text.trim().trim_end_matches('/');
        let endpoint = ENDPOINTS.iter().find(|endpoint| bare.to_ascii_lowercase().ends_with(*endpoint));
        let url = endpoint.map_or(bare, |endpoint| &bare[..bare.len() - endpoint.len()]).trim_end_matches('/');
        if url.chars().any(char::is_whitespace) {
            return Err(("holds a blank", REMEDY));
        }
        let parsed = Url::parse(url).map_err(|_| ("is no http or https address", REMEDY))?;
        if !matches!(parsed.scheme(), "http" | "https") {
            return Err(("is no http or https address", REMEDY));
        }
        let has_credentials = !parsed.username().is_empty() || parsed.password().is_some();
        if has_credentials || parsed.query().is_some() || parsed.fragment().is_some() {
            let remedy = "name the address alone; a key belongs into api_key, as a reference";
            return Err(("holds credentials or a query", remedy));
        }
        let warning = match endpoint {
            Some(endpoint) => Some((format!("ends with {endpoint}, which is left out"), format!("write it as {url}"))),
            None if parsed.path().trim_matches('/').is_empty() => {
                let what = "names no path; nearly all servers want the version".to_owned();
                Some((what, format!("write it as {url}/v1, unless calls are answered")))
            }
            None => None,
        };
        Ok(Self { url: url.to_owned(), warning })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_people_copy_comes_to_the_same_address() {
        for text in [
            "https://host/v1",
            " https://host/v1/ ",
            "https://host/v1//",
            "https://host/v1/chat/completions",
            "https://host/v1/Chat/Completions/\n",
            "https://host/v1/models",
        ] {
            let read = BaseUrl::read(text).unwrap();
            assert_eq!(read.url, "https://host/v1", "{text}");
            assert_eq!(read.warning.is_some(), text.trim().trim_end_matches('/') != "https://host/v1", "{text}");
        }
        assert!(BaseUrl::read("https://host").unwrap().warning.unwrap().1.contains("https://host/v1"));
        assert_eq!(BaseUrl::read("http://localhost:8080/openai").unwrap().warning, None);
    }

    #[test]
    fn what_is_no_address_is_refused_with_a_remedy() {
        for text in ["", "host/v1", "ftp://host/v1", "https://ho st/v1", "https://host /v1", "http://", "localhost:1"] {
            assert!(BaseUrl::read(text).unwrap_err().1.contains("https://host/v1"), "{text}");
        }
        for text in ["https://u:p@host/v1", "https://key@host/v1", "https://host/v1?key=1", "https://host/v1#x"] {
            assert!(BaseUrl::read(text).unwrap_err().0.contains("credentials"), "{text}");
        }
    }
}
