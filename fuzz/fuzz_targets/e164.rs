//! A telephone number is parsed or refused, never a panic; what is shown of it hides its middle.
#![no_main]

use clearline::domain::E164;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(number) = text.parse::<E164>() else { return };
    assert_eq!(number.as_str(), text);
    let digits = |text: &str| text.bytes().filter(u8::is_ascii_digit).count();
    for shown in [number.to_string(), format!("{number:?}"), number.masked()] {
        assert!(digits(&shown) + 3 <= digits(text), "{shown} hides too little");
    }
    if let Some(npa) = number.npa() {
        assert!((200..=999).contains(&npa.as_u16()));
    }
});
