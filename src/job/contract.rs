//! What an input must look like to be imported: a nightly file that shrank or is broken is refused
//! before it costs calls.
//!
//! A rule is a measure, a sign and a bound: `rows >= 0.8 x last`, `rejected < 1 %`, `new < 20 %`.

use std::{fmt, str::FromStr};

use crate::store::SourceStatus;

/// The rules that every input must meet.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Contract {
    rules: Vec<ContractRule>,
}

#[derive(Debug, Clone, PartialEq)]
struct ContractRule {
    text: String,
    measure: Measure,
    sign: Sign,
    bound: Bound,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Measure {
    /// Lines, the header and empty ones not counted.
    Rows,
    /// Lines that cannot be subjects.
    Rejected,
    /// Subjects that the job has not yet.
    New,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    AtLeast,
    MoreThan,
    AtMost,
    LessThan,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Bound {
    /// A number.
    Count(f64),
    /// A share of the rows, in percent.
    Percent(f64),
    /// So many times what the last such input had.
    OfLast(f64),
}

impl Contract {
    /// Whether anything is required.
    pub(crate) const fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Adds a rule.
    ///
    /// # Errors
    ///
    /// A sentence for the operator if it is none.
    pub(crate) fn require(&mut self, rule: &str) -> Result<(), String> {
        self.rules.push(rule.parse()?);
        Ok(())
    }

    /// Checks an input against `last`, the one that was imported before it. The first import has
    /// none: what compares with it, or with what the job knows, holds then.
    ///
    /// # Errors
    ///
    /// The rules that are not met, each with the numbers.
    pub(crate) fn check(
        &self,
        input: &SourceStatus,
        last: Option<&SourceStatus>,
    ) -> Result<(), String> {
        let broken = self
            .rules
            .iter()
            .filter_map(|rule| rule.difference(input, last));
        let broken: Vec<_> = broken.collect();
        if broken.is_empty() {
            return Ok(());
        }
        Err(broken.join("; "))
    }
}

impl FromStr for Contract {
    type Err = String;

    /// Reads one rule a line; empty lines and those after `#` are none.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut contract = Self::default();
        for (line, number) in text.lines().zip(1..) {
            let rule = line.split('#').next().unwrap_or_default().trim();
            if !rule.is_empty() {
                let required = contract.require(rule);
                required.map_err(|why| format!("line {number}: {why}"))?;
            }
        }
        Ok(contract)
    }
}

impl ContractRule {
    /// Returns how an input differs from what the rule wants; `None` if it does not.
    fn difference(&self, input: &SourceStatus, last: Option<&SourceStatus>) -> Option<String> {
        let count = self.measure.of(input);
        let (value, bound) = match (self.bound, last) {
            (Bound::OfLast(_), None) => return None,
            _ if self.measure == Measure::New && last.is_none() => return None,
            (Bound::Count(bound), _) => (count, bound),
            (Bound::Percent(bound), _) => (percent(count, Measure::Rows.of(input)), bound),
            (Bound::OfLast(factor), Some(last)) => (count, factor * self.measure.of(last)),
        };
        if self.sign.holds(value, bound) {
            return None;
        }
        let what = format!("'{}' is not met: {count} {}", self.text, self.measure);
        Some(match (self.bound, last) {
            (Bound::OfLast(_), Some(last)) => {
                let before = self.measure.of(last);
                let share = percent(count, before);
                format!("{what}, {share:.1} % of the {before} of {}", last.name)
            }
            (Bound::Percent(_), _) => {
                format!("{what}, {value:.1} % of {} rows", Measure::Rows.of(input))
            }
            _ => what,
        })
    }
}

/// 0 of nothing.
fn percent(part: f64, whole: f64) -> f64 {
    if whole > 0.0 {
        100.0 * part / whole
    } else {
        0.0
    }
}

impl Measure {
    #[expect(clippy::cast_precision_loss, reason = "no input has 2^53 lines")]
    const fn of(self, input: &SourceStatus) -> f64 {
        let count = match self {
            Self::Rows => input.lines,
            Self::Rejected => input.rejected,
            Self::New => input.subjects,
        };
        count as f64
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rows => "rows",
            Self::Rejected => "rejected",
            Self::New => "new",
        })
    }
}

impl Sign {
    fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::AtLeast => value >= bound,
            Self::MoreThan => value > bound,
            Self::AtMost => value <= bound,
            Self::LessThan => value < bound,
        }
    }
}

const FORM: &str = "a rule is a measure (rows, rejected, new), a sign (>= > <= <) and a bound (a number, \
    a share such as 1 %, or 0.8 x last)";

impl FromStr for ContractRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let no_rule = || format!("'{text}' is no rule of a contract: {FORM}");
        let (measure, rest) = text.split_at(text.find(['<', '>']).ok_or_else(no_rule)?);
        let measure = match measure.trim() {
            "rows" => Measure::Rows,
            "rejected" => Measure::Rejected,
            "new" => Measure::New,
            _ => return Err(no_rule()),
        };
        let signs = [
            (">=", Sign::AtLeast),
            ("<=", Sign::AtMost),
            (">", Sign::MoreThan),
            ("<", Sign::LessThan),
        ];
        let bound = signs
            .iter()
            .find_map(|(sign, meaning)| Some((*meaning, rest.strip_prefix(sign)?)));
        let (sign, bound) = bound.ok_or_else(no_rule)?;
        Ok(Self {
            text: text.to_owned(),
            measure,
            sign,
            bound: bound_of(bound.trim()).ok_or_else(no_rule)?,
        })
    }
}

fn bound_of(text: &str) -> Option<Bound> {
    let number = |text: &str| {
        let number: f64 = text.trim().parse().ok()?;
        Some(number).filter(|number| number.is_finite() && *number >= 0.0)
    };
    if let Some(share) = text.strip_suffix('%') {
        return number(share).map(Bound::Percent);
    }
    match text.strip_suffix("last") {
        Some(factor) => number(factor.trim().strip_suffix(['x', '×', '*'])?).map(Bound::OfLast),
        None => number(text).map(Bound::Count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(lines: u64, rejected: u64, subjects: u64) -> SourceStatus {
        SourceStatus {
            name: "crm.csv".to_owned(),
            path: None,
            lines,
            rejected,
            subjects,
        }
    }

    fn contract() -> Contract {
        "rows >= 0.8 x last # a dump may lose some\n\nrejected<1%\nnew < 20 %\n"
            .parse()
            .unwrap()
    }

    #[test]
    fn input_that_shrank_or_is_strange_is_told_with_numbers() {
        let last = input(1000, 0, 1000);
        let check =
            |lines, rejected, new| contract().check(&input(lines, rejected, new), Some(&last));
        assert_eq!(check(800, 7, 159), Ok(()));
        assert_eq!(
            check(799, 8, 160).unwrap_err(),
            "'rows >= 0.8 x last' is not met: 799 rows, 79.9 % of the 1000 of crm.csv; \
             'rejected<1%' is not met: 8 rejected, 1.0 % of 799 rows; \
             'new < 20 %' is not met: 160 new, 20.0 % of 799 rows"
        );
    }

    #[test]
    fn first_import_has_nothing_to_compare_with() {
        assert_eq!(contract().check(&input(1000, 9, 991), None), Ok(()));
        contract().check(&input(1000, 10, 990), None).unwrap_err();
    }

    #[test]
    fn what_is_no_rule_is_told_with_its_line() {
        for rule in [
            "lines > 1",
            "rows",
            "rows = 3",
            "rows > many",
            "rows > -1",
            "new < x last",
            "new < 1 %%",
        ] {
            let why = format!("rows > 1\n{rule}").parse::<Contract>().unwrap_err();
            assert!(
                why.starts_with(&format!("line 2: '{rule}' is no rule")),
                "{why}"
            );
        }
    }
}
