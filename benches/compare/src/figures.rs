//! Figures of several rounds, and how they are shown.

pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}

pub(crate) fn spread(values: &[f64]) -> (f64, f64) {
    (values.iter().copied().fold(f64::INFINITY, f64::min), values.iter().copied().fold(0.0, f64::max))
}

/// Median, lowest and highest, in thousands.
pub(crate) fn with_spread(values: &[f64]) -> String {
    let (low, high) = spread(values);
    format!("{} ({}–{})", kilo(median(values)), kilo(low), kilo(high))
}

/// In thousands, with as many digits as are significant.
pub(crate) fn kilo(value: f64) -> String {
    let value = value / 1e3;
    if value < 0.1 {
        format!("{value:.4}")
    } else if value < 1.0 {
        format!("{value:.3}")
    } else if value < 10.0 {
        format!("{value:.2}")
    } else if value < 100.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

/// A whole number with commas.
pub(crate) fn thousands(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value <= -0.5 { format!("-{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(
            [0.4, 999.0, 1000.0, 1_234_567.0, -1200.0].map(thousands),
            ["0", "999", "1,000", "1,234,567", "-1,200"]
        );
        assert_eq!([61.34, 613.4, 6134.0].map(kilo), ["0.0613", "0.613", "6.13"]);
        assert_eq!(with_spread(&[1500.0, 2000.0, 123_456.0]), "2.00 (1.50–123)");
    }
}
