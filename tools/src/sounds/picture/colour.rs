//! Colours, and the scale from silence to full level.

/// Red, green and blue as screens have them (sRGB).
pub(super) type Colour = [u8; 3];

pub(super) const PAPER: Colour = [0xff, 0xff, 0xff];
pub(super) const INK: Colour = [0x1b, 0x24, 0x30];
pub(super) const FAINT_INK: Colour = [0x55, 0x61, 0x6f];
pub(super) const FRAME: Colour = [0xb4, 0xbc, 0xc6];
pub(super) const GRID: Colour = [0xe4, 0xe8, 0xec];
pub(super) const OUTLINE: Colour = [0x9d, 0xc3, 0xe6];
pub(super) const BODY: Colour = [0x1f, 0x66, 0xad];
pub(super) const CLIPPED: Colour = [0xd2, 0x1f, 0x2f];
pub(super) const ON_DARK: Colour = [0xf2, 0xf4, 0xf6];

/// Lightness, chroma and hue (degrees) at equal steps, in OKLCH, whose distances are those that
/// eyes see: lightness grows evenly from night to noon, by way of violet, red and orange.
const POINTS: [[f64; 3]; 6] = [
    [0.12, 0.030, 275.0],
    [0.29, 0.115, 290.0],
    [0.46, 0.165, 345.0],
    [0.63, 0.170, 390.0],
    [0.80, 0.140, 430.0],
    [0.97, 0.060, 465.0],
];

/// The colour of a share of the scale, 0 for silence and 1 for its upper end.
pub(super) fn scale(share: f64) -> Colour {
    let at = share.clamp(0.0, 1.0) * (POINTS.len() - 1) as f64;
    let first = (at as usize).min(POINTS.len() - 2);
    let between = at - first as f64;
    let mixed = |part: usize| {
        POINTS[first][part] + (POINTS[first + 1][part] - POINTS[first][part]) * between
    };
    let (lightness, chroma, hue) = (mixed(0), mixed(1), mixed(2).to_radians());
    srgb(lightness, chroma * hue.cos(), chroma * hue.sin())
}

/// From Oklab (Björn Ottosson, 2020) to sRGB (IEC 61966-2-1).
fn srgb(lightness: f64, a: f64, b: f64) -> Colour {
    let l = (lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
    let m = (lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
    let s = (lightness - 0.089_484_177_5 * a - 1.291_485_548_0 * b).powi(3);
    let linear = [
        4.076_741_662_1 * l - 3.307_711_591_3 * m + 0.230_969_929_2 * s,
        -1.268_438_004_6 * l + 2.609_757_401_1 * m - 0.341_319_396_5 * s,
        -0.004_196_086_3 * l - 0.703_418_614_7 * m + 1.707_614_701_0 * s,
    ];
    linear.map(|it| {
        let it = it.clamp(0.0, 1.0);
        let curved =
            if it <= 0.003_130_8 { 12.92 * it } else { 1.055 * it.powf(1.0 / 2.4) - 0.055 };
        (curved * 255.0).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_grows_lighter_step_by_step() {
        let light = |colour: Colour| {
            0.2126 * f64::from(colour[0])
                + 0.7152 * f64::from(colour[1])
                + 0.0722 * f64::from(colour[2])
        };
        let lights: Vec<f64> = (0..=64).map(|n| light(scale(f64::from(n) / 64.0))).collect();
        assert!(lights.windows(2).all(|pair| pair[1] > pair[0]), "{lights:?}");
        assert!(lights[0] < 20.0 && lights[64] > 220.0, "{lights:?}");
    }

    #[test]
    fn white_is_white() {
        assert_eq!(srgb(1.0, 0.0, 0.0), [255, 255, 255]);
        assert_eq!(srgb(0.0, 0.0, 0.0), [0, 0, 0]);
    }
}
