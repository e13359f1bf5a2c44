//! Makes one table of bytes of the font of pictures. The font's crate holds a pointer for each row
//! of each letter: thousands, which every start of the program would have to relocate.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let directory = PathBuf::from(env::var("OUT_DIR")?);
    let fonts = [
        ("SMALL", FontWeight::Regular, RasterHeight::Size16),
        ("TITLE", FontWeight::Bold, RasterHeight::Size20),
    ];
    let mut code = String::new();
    for (name, weight, height) in fonts {
        let (width, rows) = (get_raster_width(weight, height), height.val());
        let mut covers = Vec::new();
        for letter in (0..=u8::MAX).map(char::from) {
            let first = covers.len();
            if let Some(glyph) = get_raster(letter, weight, height) {
                covers.extend(glyph.rows().flatten());
            }
            covers.resize(first + width * rows, 0);
        }
        let file = directory.join(name);
        fs::write(&file, covers)?;
        code += &format!(
            "const {name}: Font = Font {{ width: {width}, rows: {rows}, covers: include_bytes!({file:?}) }};\n"
        );
    }
    fs::write(directory.join("fonts.rs"), code)?;
    Ok(())
}
