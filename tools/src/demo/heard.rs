//! Compares what the phones heard with what was said to them.

use std::{error::Error, time::Duration};

use diesis_sounds::{locate::Recording, prompts::Library, sound::Sound};

use super::{account::Played, show::Ear};

/// Prints where each prompt lies in the recording; `false` when one is missing.
pub(crate) fn report(ear: &Ear) -> Result<bool, Box<dyn Error>> {
    let sound = Sound::read(&ear.heard)?;
    let recording = Recording::new(&sound.samples, sound.rate);
    let library = Library::new();
    let mut from = 0;
    let mut all = true;
    println!(
        "\n  {} heard, in {} ({:.1} s):",
        ear.phone,
        ear.heard.display(),
        seconds(sound.samples.len())
    );
    for Played { name } in &ear.said {
        let prompt = library.load(name, "en")?;
        match recording.find(&prompt.samples, from) {
            Some(found) => {
                println!(
                    "  {:6.2} s  {name:<20} {:5.2} of {:5.2} s   likeness {:.3}",
                    seconds(found.start),
                    seconds(found.length),
                    seconds(prompt.samples.len()),
                    found.score,
                );
                from = found.start + found.length / 2;
            }
            None => {
                all = false;
                println!("            {name:<20} NOT HEARD");
            }
        }
    }
    Ok(all)
}

fn seconds(samples: usize) -> f64 {
    Duration::from_micros(samples as u64 * 125).as_secs_f64()
}
