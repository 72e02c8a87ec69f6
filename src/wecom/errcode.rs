//! stand-in, replaced at merge
/// x
#[derive(Debug)]
pub enum Class {
    /// x
    Retry,
    /// x
    Token,
    /// x
    Wait,
    /// x
    Slow,
    /// x
    Subject,
    /// x
    Source,
    /// x
    Downstream,
    /// x
    Stop,
    /// x
    Bug,
    /// x
    Unlisted,
}
/// x
#[derive(Debug)]
pub struct Entry {
    /// x
    pub code: i64,
    /// x
    pub class: Class,
    /// x
    pub chinese: &'static str,
    /// x
    pub meaning: &'static str,
    /// x
    pub next_step: &'static str,
}
/// x
pub fn lookup(_code: i64) -> &'static Entry {
    &Entry {
        code: 60020,
        class: Class::Stop,
        chinese: "不安全的访问IP",
        meaning: "calls from this IP are not trusted",
        next_step: "add the IP",
    }
}
