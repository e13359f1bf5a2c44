//! The words of the prompts, from the text that they were spoken from.

/// What the English prompt `name` says.
pub(crate) fn of(name: &str) -> Option<&'static str> {
    ENGLISH.lines().find_map(|line| {
        let (of, text) = line.split_once('\t')?;
        (of == name).then_some(text)
    })
}

const ENGLISH: &str = include_str!("../../prompts/en.txt");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_menu_says_what_its_text_says() {
        assert!(of("diesis-menu").is_some_and(|text| text.contains("press")));
        assert_eq!(of("no-such-prompt"), None);
    }
}
