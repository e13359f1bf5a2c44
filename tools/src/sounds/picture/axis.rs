//! Round numbers for axes.

/// Places of a time axis and what stands there, and the unit of it all.
pub(super) fn times(seconds: f64, most: usize) -> (Vec<(f64, String)>, &'static str) {
    const STEPS: [f64; 12] =
        [1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0];
    let wanted = seconds / most.max(1) as f64;
    let step = if wanted <= 1.0 {
        round(wanted)
    } else {
        let hours = || round(wanted / 3600.0).max(1.0) * 3600.0;
        STEPS.into_iter().find(|&step| step >= wanted).unwrap_or_else(hours)
    };
    let digits = (-step.log10()).ceil().max(0.0) as usize;
    let told = |at: f64| {
        let whole = at.round() as u64;
        let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60);
        match seconds {
            _ if seconds < 60.0 => format!("{at:.digits$}"),
            _ if seconds < 3600.0 => format!("{minutes}:{rest:02}"),
            _ => format!("{hours}:{minutes:02}:{rest:02}"),
        }
    };
    let unit = match seconds {
        _ if seconds < 60.0 => "s",
        _ if seconds < 3600.0 => "min:s",
        _ => "h:min:s",
    };
    (places(step, seconds).map(|at| (at, told(at))).collect(), unit)
}

/// Places of a frequency axis in Hz, and what stands there in kHz.
pub(super) fn frequencies(highest: f64, most: usize) -> Vec<(f64, String)> {
    let step = round(highest / most.max(1) as f64);
    let digits = (3.0 - step.log10()).ceil().max(0.0) as usize;
    places(step, highest).map(|at| (at, format!("{:.digits$}", at / 1000.0))).collect()
}

/// Multiples of a step up to an end.
fn places(step: f64, end: f64) -> impl Iterator<Item = f64> {
    (0..1000).map(move |n| f64::from(n) * step).take_while(move |&at| at <= end * 1.000_001)
}

/// The least of 1, 2, 5, 10, 20, ... times a power of ten that is as large.
fn round(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10.0_f64.powf(value.log10().floor());
    let digit = value / power;
    let round = [1.0, 2.0, 5.0].into_iter().find(|&it| it >= digit * 0.999_999);
    power * round.unwrap_or(10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(seconds: f64) -> String {
        let (places, unit) = times(seconds, 8);
        let places: Vec<String> = places.into_iter().map(|place| place.1).collect();
        format!("{} {unit}", places.join(" "))
    }

    #[test]
    fn times_are_round() {
        assert_eq!(told(0.5), "0.0 0.1 0.2 0.3 0.4 0.5 s");
        assert_eq!(told(3.0), "0.0 0.5 1.0 1.5 2.0 2.5 3.0 s");
        assert_eq!(told(40.0), "0 5 10 15 20 25 30 35 40 s");
        assert_eq!(told(70.0), "0:00 0:10 0:20 0:30 0:40 0:50 1:00 1:10 min:s");
        assert_eq!(told(3600.0), "0:00:00 0:10:00 0:20:00 0:30:00 0:40:00 0:50:00 1:00:00 h:min:s");
        assert_eq!(told(0.0), "0 s");
        assert!(times(1e9, 8).0.len() < 10);
    }

    #[test]
    fn frequencies_are_round() {
        let told = |highest| {
            frequencies(highest, 8).into_iter().map(|it| it.1).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(told(4000.0), "0.0 0.5 1.0 1.5 2.0 2.5 3.0 3.5 4.0");
        assert_eq!(told(22_050.0), "0 5 10 15 20");
        assert_eq!(told(500.0), "0.0 0.1 0.2 0.3 0.4 0.5");
    }
}
