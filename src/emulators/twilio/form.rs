//! Form parameters, in and out: repeated names are kept, order is kept.

/// What an `application/x-www-form-urlencoded` body or a query string says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a body or query string.
    pub(super) fn parse(text: &[u8]) -> Result<Self, serde_urlencoded::de::Error> {
        serde_urlencoded::from_bytes(text).map(Self)
    }

    /// The first value of this name that is not empty.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// All values of a name that may be repeated.
    pub(super) fn values(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect()
    }

    pub(super) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_names_and_odd_characters_survive() {
        let form =
            Form::parse(b"To=%2B12125550113&StatusCallbackEvent=initiated&StatusCallbackEvent=answered&Url=").unwrap();
        assert_eq!(form.value("To"), Some("+12125550113"));
        assert_eq!(form.values("StatusCallbackEvent"), ["initiated", "answered"]);
        assert_eq!(form.value("Url"), None);
    }
}
