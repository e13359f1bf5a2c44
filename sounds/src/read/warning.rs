//! What was odd about a sound that could be read all the same.

use std::fmt;
use std::time::Duration;

/// What a user may want to know of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// The file ends before the sound that its header tells of.
    Truncated {
        /// What could be read.
        there: Duration,
        /// What there should be.
        stated: Duration,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { there, stated } => {
                let (there, stated) = (there.as_secs_f64(), stated.as_secs_f64());
                // As many digits as it takes to tell them apart.
                let digits = if stated - there >= 0.1 { 1 } else { 3 };
                write!(f, "truncated: {there:.digits$} of {stated:.digits$} s are there")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_as_finely_as_they_differ() {
        let told = |there, stated| {
            let [there, stated] = [there, stated].map(Duration::from_millis);
            Warning::Truncated { there, stated }.to_string()
        };
        assert_eq!(told(2100, 4200), "truncated: 2.1 of 4.2 s are there");
        assert_eq!(told(4170, 4200), "truncated: 4.170 of 4.200 s are there");
    }
}
