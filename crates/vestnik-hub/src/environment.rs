//! Settings from the environment, by the rules of Python's `huggingface_hub`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::token::Token;
use crate::{Error, Result};

const DEFAULT_ENDPOINT: &str = "https://huggingface.co";
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// What the environment says.
pub(crate) struct Settings {
    pub(crate) endpoint: String,
    /// The folder with `models--org--name`.
    pub(crate) cache: PathBuf,
    pub(crate) token: Option<Token>,
    pub(crate) offline: bool,
    /// Longest wait for a connection, an answer, or the next bytes.
    pub(crate) timeout: Duration,
}

impl Settings {
    /// Reads the variables through `get`.
    pub(crate) fn read(get: impl Fn(&str) -> Option<OsString>) -> Result<Self> {
        let variables = Variables { get };
        let endpoint = variables
            .text("HF_ENDPOINT")
            .unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned());
        Ok(Self {
            endpoint: checked_endpoint(&endpoint)?,
            cache: variables.cache()?,
            token: variables.token(),
            offline: variables.is_true("HF_HUB_OFFLINE")
                || variables.is_true("TRANSFORMERS_OFFLINE"),
            timeout: variables.timeout().unwrap_or(DEFAULT_TIMEOUT),
        })
    }
}

/// An address without the slashes at its end.
pub(crate) fn checked_endpoint(endpoint: &str) -> Result<String> {
    let trimmed = endpoint.trim().trim_end_matches('/');
    let host = ["http://", "https://"]
        .iter()
        .find_map(|scheme| trimmed.strip_prefix(scheme));
    match host {
        Some(host) if !host.is_empty() => Ok(trimmed.to_owned()),
        _ => Err(Error::Endpoint {
            endpoint: endpoint.to_owned(),
        }),
    }
}

struct Variables<G> {
    get: G,
}

impl<G: Fn(&str) -> Option<OsString>> Variables<G> {
    /// A variable that is set and not empty.
    fn value(&self, name: &str) -> Option<OsString> {
        (self.get)(name).filter(|value| !value.is_empty())
    }

    fn text(&self, name: &str) -> Option<String> {
        self.value(name)?.into_string().ok()
    }

    fn is_true(&self, name: &str) -> bool {
        self.text(name).is_some_and(|value| {
            let value = value.to_uppercase();
            ["1", "ON", "YES", "TRUE"].contains(&value.as_str())
        })
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        let path = PathBuf::from(self.value(name)?);
        Some(match path.strip_prefix("~") {
            Ok(rest) => self.value("HOME").map(PathBuf::from)?.join(rest),
            Err(_) => path,
        })
    }

    /// The folder of all of Hugging Face's files.
    fn home(&self) -> Option<PathBuf> {
        self.path("HF_HOME").or_else(|| {
            let cache = self
                .path("XDG_CACHE_HOME")
                .or_else(|| Some(self.path("HOME")?.join(".cache")))?;
            Some(cache.join("huggingface"))
        })
    }

    fn cache(&self) -> Result<PathBuf> {
        self.path("HF_HUB_CACHE")
            .or_else(|| self.path("HUGGINGFACE_HUB_CACHE"))
            .or_else(|| Some(self.home()?.join("hub")))
            .ok_or(Error::NoCache)
    }

    fn token(&self) -> Option<Token> {
        if self.is_true("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
            return None;
        }
        self.text("HF_TOKEN")
            .or_else(|| self.text("HUGGING_FACE_HUB_TOKEN"))
            .map_or_else(|| self.token_of_file(), |text| Token::new(&text))
    }

    fn token_of_file(&self) -> Option<Token> {
        let path = self
            .path("HF_TOKEN_PATH")
            .or_else(|| Some(self.home()?.join("token")))?;
        read_token(&path)
    }

    fn timeout(&self) -> Option<Duration> {
        let seconds: u64 = self.text("HF_HUB_DOWNLOAD_TIMEOUT")?.parse().ok()?;
        Some(Duration::from_secs(seconds.max(1)))
    }
}

/// The token that `hf auth login` left; none without the file.
fn read_token(path: &Path) -> Option<Token> {
    Token::new(&std::fs::read_to_string(path).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings> {
        Settings::read(|name| {
            let (_, value) = variables.iter().find(|(key, _)| *key == name)?;
            Some(OsString::from(value))
        })
    }

    fn cache(variables: &[(&str, &str)]) -> PathBuf {
        read(variables).unwrap().cache
    }

    #[test]
    fn the_cache_is_where_python_has_it() {
        let home = ("HOME", "/home/me");
        assert_eq!(cache(&[home]), Path::new("/home/me/.cache/huggingface/hub"));
        let xdg = ("XDG_CACHE_HOME", "/xdg");
        assert_eq!(cache(&[home, xdg]), Path::new("/xdg/huggingface/hub"));
        let hf_home = ("HF_HOME", "~/hf");
        assert_eq!(cache(&[home, xdg, hf_home]), Path::new("/home/me/hf/hub"));
        let hub_cache = ("HF_HUB_CACHE", "/models");
        assert_eq!(cache(&[home, hf_home, hub_cache]), Path::new("/models"));
        assert!(matches!(read(&[]), Err(Error::NoCache)));
    }

    #[test]
    fn offline_is_said_as_in_python() {
        let offline = |value| {
            read(&[("HOME", "/x"), ("HF_HUB_OFFLINE", value)])
                .unwrap()
                .offline
        };
        assert!(["1", "ON", "yes", "True"].into_iter().all(offline));
        assert!(!["", "0", "no", "2"].into_iter().any(offline));
    }

    #[test]
    fn tokens_come_from_variables_then_files() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_str().unwrap().to_owned();
        let token = |more: &[(&str, &str)]| {
            let mut variables = vec![("HF_HOME", home.as_str())];
            variables.extend_from_slice(more);
            let token = read(&variables).unwrap().token?;
            Some(token.authorization())
        };
        assert_eq!(token(&[]), None);
        std::fs::write(folder.path().join("token"), "hf_file\n").unwrap();
        assert_eq!(token(&[]).unwrap(), "Bearer hf_file");
        assert_eq!(token(&[("HF_TOKEN", " hf_env ")]).unwrap(), "Bearer hf_env");
        assert_eq!(token(&[("HF_TOKEN_PATH", "/nowhere")]), None);
        let disabled = ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1");
        assert_eq!(token(&[("HF_TOKEN", "hf_env"), disabled]), None);
    }

    #[test]
    fn a_token_is_not_printed() {
        let settings = read(&[("HOME", "/x"), ("HF_TOKEN", "hf_secret")]).unwrap();
        assert_eq!(format!("{:?}", settings.token), "Some(Token(…))");
    }

    #[test]
    fn endpoints_are_addresses() {
        assert_eq!(
            checked_endpoint("http://localhost:80/").unwrap(),
            "http://localhost:80"
        );
        assert!(checked_endpoint("localhost").is_err());
        assert!(checked_endpoint("https://").is_err());
    }
}
