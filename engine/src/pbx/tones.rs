//! Call progress tones by name or as a list, rendered when first asked for.
//!
//! The names and cadences are those of the zone `us`, Asterisk's default (ITU-T E.180 supplement 2
//! lists the national ones).

use std::{collections::HashMap, sync::Arc};

use bstr::{BStr, BString, ByteSlice};

use crate::{
    media::{Prompt, Tone, ToneSpec},
    printable::Printable,
};

/// The tones rendered so far.
#[derive(Debug, Default)]
pub(crate) struct Tones {
    milliwatt: Option<Arc<Prompt>>,
    rendered: HashMap<BString, Arc<Tone>>,
}

impl Tones {
    /// A tone by its name in the zone, or by its cadence: `440+480/2000,0/4000`.
    pub(crate) fn named(&mut self, name: &BStr) -> Option<Arc<Tone>> {
        if let Some(tone) = self.rendered.get(name) {
            return Some(Arc::clone(tone));
        }
        let name_in_zone = name.to_ascii_lowercase();
        let known = ZONE.iter().find(|(known, _)| known.as_bytes() == name_in_zone);
        let cadence = match known {
            Some((_, cadence)) => cadence,
            None => name.to_str().ok()?,
        };
        let spec = match ToneSpec::parse(cadence) {
            Ok(spec) => spec,
            Err(error) => {
                tracing::warn!(tone = %Printable(name), error = %Printable(error.to_string().as_bytes()), "not a tone");
                return None;
            }
        };
        let tone = Arc::new(Tone::render(&spec));
        if self.rendered.len() >= MOST_RENDERED {
            self.rendered.clear();
        }
        self.rendered.insert(name.into(), Arc::clone(&tone));
        Some(tone)
    }

    /// One second of 1004 Hz at 0 dBm0, to be repeated.
    pub(crate) fn milliwatt(&mut self) -> Arc<Prompt> {
        Arc::clone(self.milliwatt.get_or_insert_with(|| {
            let sample = |n: u32| {
                let angle = f64::from(n * 1004 % 8000) / 8000.0 * std::f64::consts::TAU;
                (angle.sin() * MILLIWATT_PEAK).round() as i16
            };
            Arc::new(Prompt::from_samples(&(0..8000).map(sample).collect::<Vec<_>>()))
        }))
    }
}

const ZONE: [(&str, &str); 9] = [
    ("dial", "350+440"),
    ("busy", "480+620/500,0/500"),
    ("ring", "440+480/2000,0/4000"),
    ("congestion", "480+620/250,0/250"),
    ("callwaiting", "440/300,0/10000"),
    ("dialrecall", "!350+440/100,!0/100,!350+440/100,!0/100,!350+440/100,!0/100,350+440"),
    ("record", "1400/500,0/15000"),
    ("info", "!950/330,!1400/330,!1800/330,0"),
    (
        "stutter",
        "!350+440/100,!0/100,!350+440/100,!0/100,!350+440/100,!0/100,!350+440/100,!0/100,350+440",
    ),
];

/// µ-law's full-scale sine is +3.17 dBm0 (ITU-T G.711 §5), and 32124 in 16-bit samples.
const MILLIWATT_PEAK: f64 = 22_302.0;

/// A dialplan that makes up cadences from variables must not fill the memory.
const MOST_RENDERED: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tone_of_the_zone_can_be_rendered() {
        let mut tones = Tones::default();
        for (name, _) in ZONE {
            assert!(tones.named(name.into()).is_some(), "{name}");
        }
        assert!(tones.named("BUSY".into()).is_some());
        assert!(tones.named("440/100,0/100".into()).is_some());
        assert!(tones.named("beep boop".into()).is_none());
        let again = tones.named("busy".into()).expect("known");
        assert!(Arc::ptr_eq(&again, &tones.named("busy".into()).expect("known")));
    }

    #[test]
    fn the_milliwatt_is_as_loud_as_its_name() {
        let milliwatt = Tones::default().milliwatt();
        let power: f64 = milliwatt.samples().iter().map(|s| f64::from(*s).powi(2)).sum::<f64>()
            / milliwatt.samples().len() as f64;
        let full_scale_sine = 32_124_f64.powi(2) / 2.0;
        let dbm0 = 10.0 * (power / full_scale_sine).log10() + 3.17;
        assert!(dbm0.abs() < 0.05, "{dbm0}");
    }
}
