//! Tables of fans, the same ones each time: row `n` is a function of `n`.

use std::{
    error::Error,
    fs::File,
    io::{BufWriter, Write},
};

use fastrand::Rng;

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// An id as WeChat makes them: 'o' and 27 characters.
fn push_id(line: &mut Vec<u8>, rng: &mut Rng) {
    line.push(b'o');
    for _ in 0..27 {
        line.push(LETTERS[rng.usize(..LETTERS.len())]);
    }
}

/// The fan number `n`.
fn push_fan(line: &mut Vec<u8>, n: u64) {
    let mut rng = Rng::with_seed(n.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    push_id(line, &mut rng);
    line.push(b',');
    push_id(line, &mut rng);
    line.push(b'\n');
}

/// Who stands in row `n` if `twice` of a thousand rows repeat an earlier one.
fn fan_in(n: u64, twice: u64) -> u64 {
    let mut rng = Rng::with_seed(!n.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    match n > 0 && rng.u64(..1000) < twice {
        true => rng.u64(..n),
        false => n,
    }
}

/// A first table.
pub(crate) fn write_first(rows: u64, twice: u64, path: &str) -> Result<(), Box<dyn Error>> {
    write_part(0, rows, twice, path)
}

/// The `rows` of it from row `first` on: tables that grow, part by part. Who repeats may have stood
/// in an earlier part.
pub(crate) fn write_part(
    first: u64,
    rows: u64,
    twice: u64,
    path: &str,
) -> Result<(), Box<dyn Error>> {
    write(path, (first..first + rows).map(|n| fan_in(n, twice)))
}

/// A later table of `lines`: one in a hundred is new to who has taken in the first.
pub(crate) fn write_nightly(
    rows: u64,
    twice: u64,
    lines: u64,
    path: &str,
) -> Result<(), Box<dyn Error>> {
    let mut rng = Rng::with_seed(rows);
    let fans = (0..lines).map(|line| match line % 100 {
        0 => rows + line,
        _ => fan_in(rng.u64(..rows), twice),
    });
    write(path, fans)
}

fn write(path: &str, fans: impl Iterator<Item = u64>) -> Result<(), Box<dyn Error>> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    file.write_all(b"unionid,openid\n")?;
    let mut line = Vec::with_capacity(64);
    for fan in fans {
        line.clear();
        push_fan(&mut line, fan);
        file.write_all(&line)?;
    }
    file.flush()?;
    Ok(())
}
