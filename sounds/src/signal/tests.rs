use super::*;
use std::f64::consts::TAU;

/// Tones of 1 kHz one after another: seconds and level in dBFS of each channel.
fn measured(rate: u32, parts: &[(f64, &[f64])]) -> Measured {
    let mut meter = Meter::new(rate, parts[0].1.len());
    let step = TAU * 1000.0 / f64::from(rate);
    let mut at = 0;
    for (seconds, levels) in parts {
        let len = (f64::from(rate) * seconds).round() as u32;
        for begin in (0..len).step_by(4096) {
            let piece = begin..len.min(begin + 4096);
            let tone = |level: &f64| {
                let height = magnitude(*level);
                let sample = |n| (height * (step * f64::from(at + n)).sin()) as f32;
                piece.clone().map(sample).collect::<Vec<f32>>()
            };
            meter.take(&levels.iter().map(tone).collect::<Vec<_>>());
        }
        at += len;
    }
    meter.measured()
}

fn stereo(rate: u32, parts: &[(f64, f64)]) -> Measured {
    let levels: Vec<_> = parts.iter().map(|&(seconds, level)| (seconds, [level; 2])).collect();
    measured(rate, &levels.iter().map(|(seconds, it)| (*seconds, &it[..])).collect::<Vec<_>>())
}

#[test]
fn integrated_loudness_meets_the_minimum_requirements() {
    // EBU Tech 3341, table 1: within 0.1 LU.
    let cases: [(&[(f64, f64)], f64); 5] = [
        (&[(20.0, -23.0)], -23.0),
        (&[(20.0, -33.0)], -33.0),
        (&[(10.0, -36.0), (60.0, -23.0), (10.0, -36.0)], -23.0),
        (&[(10.0, -72.0), (10.0, -36.0), (60.0, -23.0), (10.0, -36.0), (10.0, -72.0)], -23.0),
        (&[(20.0, -26.0), (20.1, -20.0), (20.0, -26.0)], -23.0),
    ];
    for rate in [8000, 48_000] {
        for (parts, wanted) in cases {
            // At 48 kHz the first ones suffice: the gates know of no rate.
            if rate == 48_000 && parts.len() > 1 {
                continue;
            }
            let loudness = stereo(rate, parts).loudness.unwrap();
            assert!((loudness - wanted).abs() < 0.06, "{rate}, {parts:?}: {loudness}");
        }
    }
    // Case 6: left, right, centre and two behind.
    let five = [-28.0, -28.0, -24.0, -30.0, -30.0];
    let loudness = measured(8000, &[(20.0, &five)]).loudness.unwrap();
    assert!((loudness + 23.0).abs() < 0.06, "{loudness}");
}

#[test]
fn short_term_and_momentary_loudness_are_of_their_windows() {
    // EBU Tech 3341, cases 9 and 12 without their films: the parts are as long as the windows.
    let both = [(1.34, -20.0), (1.66, -30.0)];
    let parts: Vec<_> = both.into_iter().cycle().take(10).collect();
    let short = stereo(48_000, &parts).short_term.unwrap();
    assert!((short + 23.0).abs() < 0.1, "{short}");
    let both = [(0.18, -20.0), (0.22, -30.0)];
    let parts: Vec<_> = both.into_iter().cycle().take(50).collect();
    let momentary = stereo(48_000, &parts).momentary.unwrap();
    assert!((momentary + 23.0).abs() < 0.1, "{momentary}");
}

#[test]
fn loudness_range_meets_the_minimum_requirements() {
    // EBU Tech 3342, table 1: within 1 LU.
    let cases: [(&[f64], f64); 4] = [
        (&[-20.0, -30.0], 10.0),
        (&[-20.0, -15.0], 5.0),
        (&[-40.0, -20.0], 20.0),
        (&[-50.0, -35.0, -20.0, -35.0, -50.0], 15.0),
    ];
    for (levels, wanted) in cases {
        let parts: Vec<_> = levels.iter().map(|&level| (20.0, level)).collect();
        let range = stereo(8000, &parts).range;
        assert!((range - wanted).abs() < 0.3, "{levels:?}: {range}");
    }
}

#[test]
fn one_channel_is_3_lu_below_two_and_rates_agree() {
    for rate in [8000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000] {
        let loudness = measured(rate, &[(2.0, &[-23.0])]).loudness.unwrap();
        assert!((loudness + 26.01).abs() < 0.06, "{rate}: {loudness}");
    }
}

#[test]
fn what_is_shorter_than_a_block_is_as_loud_as_its_whole() {
    for seconds in [0.05, 0.1, 0.25, 0.39, 0.4, 0.45] {
        let loudness = measured(8000, &[(seconds, &[-23.0])]).loudness.unwrap();
        assert!((loudness + 26.0).abs() < 0.2, "{seconds}: {loudness}");
    }
    assert_eq!(measured(8000, &[(0.2, &[-80.0])]).loudness, None);
}

#[test]
fn silence_is_as_quiet_as_can_be() {
    for channels in [1, 2] {
        let mut meter = Meter::new(8000, channels);
        assert_eq!(meter.measured(), Measured::default());
        meter.take(&vec![vec![0.0; 40_000]; channels]);
        let wanted = Measured { frames: 40_000, leading: 40_000, ..Measured::default() };
        assert_eq!(meter.measured(), wanted);
    }
    assert_eq!(Meter::new(8000, 0).measured(), Measured::default());
}

#[test]
fn level_offset_and_clipping_are_counted() {
    let mut samples = vec![0.25_f32; 800];
    // Two at full scale may be a peak, three are cut off.
    samples[100..102].fill(1.0);
    samples[200..203].fill(-1.0);
    samples[795..].fill(1.0);
    let mut meter = Meter::new(8000, 2);
    for piece in samples.chunks(7) {
        meter.take(&[piece, &vec![-0.5; piece.len()]]);
    }
    let measured = meter.measured();
    assert_eq!((measured.clipped, measured.clips), (8, 2));
    assert_eq!(measured.offset, -0.5);
    let squares = 790.0 * 0.0625 + 10.0 + 800.0 * 0.25;
    assert!((measured.rms - f64::sqrt(squares / 1600.0)).abs() < 1e-12);
    assert!(measured.peak == 1.0 && measured.true_peak > 1.0 && measured.loudness.is_some());
    let mut coarse = Meter::new(8000, 1).with_full_scale(0.98);
    coarse.take(&[[0.981; 5]]);
    assert_eq!(coarse.measured().clipped, 5);
}
