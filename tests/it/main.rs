//! One test binary. `world` is the scenario object; the rest tells what must be true.

mod eta;
mod resume;
mod seeds;
mod world;
