//! Writes the seeds of every target to where cargo-fuzz looks for them: `cargo run --example seeds` in `fuzz/`.

use std::{fs, io, path::Path};

fn main() -> io::Result<()> {
    for target in narvi::fuzzing::TARGETS {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
        fs::create_dir_all(&directory)?;
        for (number, seed) in target.seeds.iter().enumerate() {
            fs::write(directory.join(format!("seed-{number}")), seed)?;
        }
    }
    Ok(())
}
