//! Plots as SVG. Points on a logarithmic scale need no library.

use std::fmt::Write;

/// Points on a logarithmic scale: a row for each thing and a colour for each contender.
#[derive(Debug)]
pub(crate) struct Plot {
    pub(crate) title: String,
    pub(crate) axis: String,
    pub(crate) rows: Vec<Row>,
    /// Names, in the order of their colours.
    pub(crate) names: Vec<String>,
    /// The value at which a line is drawn.
    pub(crate) mark: Option<f64>,
}

/// The values of one thing.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// The contender, and its lowest, median and highest value.
    pub(crate) points: Vec<(usize, [f64; 3])>,
}

/// Colours that people who see few colours can tell apart, too (Okabe and Ito, and some between).
const COLOURS: [&str; 12] = [
    "#000000", "#e69f00", "#56b4e9", "#009e73", "#d55e00", "#0072b2", "#cc79a7", "#8a8a8a", "#7a5c00",
    "#6a3d9a", "#b2182b", "#4d9221",
];

const LEFT: f64 = 170.0;
const WIDTH: f64 = 640.0;
const TOP: f64 = 46.0;
const ROW: f64 = 22.0;
const LEGEND: f64 = 180.0;

impl Plot {
    pub(crate) fn svg(&self) -> String {
        let values = || self.rows.iter().flat_map(|row| &row.points).flat_map(|(_, values)| *values);
        let low = values().chain(self.mark).filter(|value| *value > 0.0).fold(f64::INFINITY, f64::min);
        let high = values().chain(self.mark).fold(0.0, f64::max);
        if low > high || self.rows.is_empty() {
            return String::new();
        }
        // From and to a round number: 1, 2 or 5 times a power of ten.
        let ticks: Vec<f64> =
            (-12..=12).flat_map(|power| [1.0, 2.0, 5.0].map(|n| n * 10_f64.powi(power))).collect();
        let from = ticks.iter().copied().filter(|tick| *tick <= low).fold(ticks[0], f64::max);
        let to =
            ticks.iter().copied().filter(|tick| *tick >= high && *tick > from).fold(f64::INFINITY, f64::min);
        let x = |value: f64| LEFT + WIDTH * (value.max(from) / from).ln() / (to / from).ln();
        let bottom = TOP + ROW * self.rows.len().max(self.names.len()) as f64;
        let (width, height) = (LEFT + WIDTH + LEGEND, bottom + 44.0);

        let mut svg = String::new();
        let _ = write!(
            svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
             font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
             <text x=\"{LEFT}\" y=\"22\" font-size=\"15\">{}</text>\n",
            escape(&self.title)
        );
        for tick in ticks.iter().filter(|tick| (from..=to).contains(*tick)) {
            let at = x(*tick);
            let _ = writeln!(
                svg,
                "<line x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{bottom}\" stroke=\"#ddd\"/>"
            );
            let _ = writeln!(
                svg,
                "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                bottom + 16.0,
                number(*tick)
            );
        }
        if let Some(mark) = self.mark {
            let at = x(mark);
            let _ = writeln!(
                svg,
                "<line x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{bottom}\" stroke=\"#000\"/>"
            );
        }
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            LEFT + WIDTH / 2.0,
            bottom + 34.0,
            escape(&self.axis)
        );
        for (i, row) in self.rows.iter().enumerate() {
            let y = TOP + ROW * (i as f64 + 0.5);
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                y + 4.0,
                escape(&row.name)
            );
            for (who, [low, median, high]) in &row.points {
                let colour = COLOURS[who % COLOURS.len()];
                let (low, median, high) = (x(*low), x(*median), x(*high));
                let _ = writeln!(
                    svg,
                    "<line x1=\"{low:.1}\" y1=\"{y:.1}\" x2=\"{high:.1}\" y2=\"{y:.1}\" stroke=\"{colour}\" \
                     stroke-opacity=\"0.5\"/><circle cx=\"{median:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{colour}\">\
                     <title>{}</title></circle>",
                    escape(&self.names[*who])
                );
            }
        }
        for (i, name) in self.names.iter().enumerate() {
            let y = TOP + ROW * (i as f64 + 0.5);
            let at = LEFT + WIDTH + 20.0;
            let _ = writeln!(
                svg,
                "<circle cx=\"{at}\" cy=\"{y:.1}\" r=\"4\" fill=\"{}\"/><text x=\"{}\" y=\"{:.1}\">{}</text>",
                COLOURS[i % COLOURS.len()],
                at + 10.0,
                y + 4.0,
                escape(name)
            );
        }
        svg.push_str("</svg>\n");
        svg
    }
}

/// The label of a value. Large values are short, so that labels do not touch.
fn number(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{}M", value / 1e6),
        value if value >= 1e3 => format!("{}k", value / 1e3),
        value => format!("{}", (value * 1e6).round() / 1e6),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_stand_between_round_numbers() {
        let plot = Plot {
            title: "a < b".into(),
            axis: "times".into(),
            rows: vec![Row { name: "row".into(), points: vec![(0, [0.3, 0.4, 0.5]), (1, [8.0, 9.0, 11.0])] }],
            names: vec!["one".into(), "other".into()],
            mark: Some(1.0),
        };
        let svg = plot.svg();
        assert!(svg.contains("a &lt; b") && svg.ends_with("</svg>\n"));
        for tick in [">0.2<", ">0.5<", ">1<", ">20<"] {
            assert!(svg.contains(tick), "{tick} in {svg}");
        }
        assert!(!svg.contains(">50<") && !svg.contains("NaN") && !svg.contains("inf"));
    }

    #[test]
    fn nothing_gives_no_plot() {
        let plot = Plot { title: "".into(), axis: "".into(), rows: vec![], names: vec![], mark: None };
        assert_eq!(plot.svg(), "");
    }
}
