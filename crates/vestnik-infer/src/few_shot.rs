//! Labels from a handful of examples: logistic regression on fixed features.

use ndarray::{Array1, ArrayView1, Axis};
use serde::{Deserialize, Serialize};
use vestnik_core::LabelSet;

use crate::error::{Error, Result};
use crate::logistic_regression::LogisticRegression;
use crate::text_features::TextFeatures;
use crate::zero_shot::Classified;

/// The version of the file of a head that is read and written.
const FORMAT_VERSION: u32 = 1;
/// The penalty of the regression on standardised features; see `docs/classify.md` for where it comes from.
const PENALTY: f64 = 10.0;
/// What an encoder is known by: its features of this text.
const PROBE: &str = "Vestnik reads the news. Вестник читает новости.";
/// How much of their length features of the probe may differ: devices and number formats differ by less, models by more.
const PROBE_TOLERANCE: f64 = 0.02;

/// A classifier of texts that learnt from few examples: features of an encoder, brought to mean 0 and variance 1 over the
/// examples, and a [`LogisticRegression`] on them.
///
/// ```no_run
/// use vestnik_infer::{FewShot, Options, TextFeatures};
///
/// let features = TextFeatures::embedded(&Options::default())?;
/// let examples = [("The match ended in a draw.", "sport"), ("Parliament votes today.", "politics")];
/// let few_shot = FewShot::fit(&features, &examples)?;
/// let answer = &few_shot.classify_batch(&features, &["Two goals in the first half."])?[0];
/// println!("{:?}", answer.best());
/// # Ok::<(), vestnik_infer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FewShot {
    format_version: u32,
    /// The encoder that it was fitted to.
    model: String,
    labels: LabelSet,
    /// Number of examples.
    examples: usize,
    mean: Vec<f64>,
    deviation: Vec<f64>,
    regression: LogisticRegression,
    /// Features of [`PROBE`].
    probe: Vec<f64>,
}

impl FewShot {
    /// Learns from texts with a label each; labels are in the order of their first examples. The same examples give the
    /// same classifier.
    ///
    /// # Errors
    /// [`Error::Examples`] unless there are examples of at least two labels, [`Error::Core`] for an empty label; else as
    /// [`TextFeatures::of_batch`].
    pub fn fit(features: &TextFeatures, examples: &[(&str, &str)]) -> Result<Self> {
        let labels = labels_of(examples)?;
        let ids: Vec<usize> = examples
            .iter()
            .filter_map(|(_, label)| labels.id(label))
            .collect();
        let texts: Vec<&str> = examples.iter().map(|(text, _)| *text).collect();
        let rows = features.matrix(&features.of_batch(&texts)?)?;
        let mean = rows
            .mean_axis(Axis(0))
            .unwrap_or_else(|| Array1::zeros(rows.ncols()));
        let deviation = rows.std_axis(Axis(0), 0.0).mapv(|x| x.max(1e-6));
        let standard = (&rows - &mean) / &deviation;
        Ok(Self {
            format_version: FORMAT_VERSION,
            model: features.name().to_owned(),
            regression: LogisticRegression::fit(&standard, &ids, labels.len(), PENALTY)?,
            labels,
            examples: examples.len(),
            mean: mean.to_vec(),
            deviation: deviation.to_vec(),
            probe: probe(features)?.to_vec(),
        })
    }

    /// The labels.
    #[must_use]
    pub fn labels(&self) -> &LabelSet {
        &self.labels
    }

    /// Number of examples that it learnt from.
    #[must_use]
    pub fn examples(&self) -> usize {
        self.examples
    }

    /// Classifies texts; the answer has one element for each, in the same order. `features` are those that it was fitted
    /// to.
    ///
    /// # Errors
    /// [`Error::Examples`] for features of another width; else as [`TextFeatures::of_batch`].
    pub fn classify_batch(
        &self,
        features: &TextFeatures,
        texts: &[&str],
    ) -> Result<Vec<Classified>> {
        let vectors = features.of_batch(texts)?;
        let rows = features.matrix(&vectors)?;
        self.check_width(rows.ncols())?;
        let standard = (rows - view(&self.mean)) / view(&self.deviation);
        let probabilities = self.regression.probabilities(&standard)?;
        let answers = vectors.iter().zip(probabilities.rows());
        Ok(answers
            .map(|(vector, row)| {
                let scores = vector.features.iter().flat_map(|_| row.iter());
                let labels = self.labels.iter().map(str::to_owned);
                Classified::new(
                    labels.zip(scores.map(|&p| p as f32)).collect(),
                    vector.tokens,
                    vector.windows,
                )
            })
            .collect())
    }

    /// The classifier as a file.
    ///
    /// # Errors
    /// [`Error::Head`] if it cannot be written as JSON.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|source| Error::Head { source })
    }

    /// Reads a classifier, which has to have been fitted to these features.
    ///
    /// # Errors
    /// [`Error::Head`] if it is no JSON of this form, [`Error::HeadVersion`] if it is of another version,
    /// [`Error::HeadEncoder`] if it was fitted to another encoder.
    pub fn from_json(json: &[u8], features: &TextFeatures) -> Result<Self> {
        let read: Self = serde_json::from_slice(json).map_err(|source| Error::Head { source })?;
        if read.format_version != FORMAT_VERSION {
            return Err(Error::HeadVersion {
                found: read.format_version,
                known: FORMAT_VERSION,
            });
        }
        read.check_width(features.width())?;
        let probe = probe(features)?;
        let length = |vector: &Array1<f64>| vector.dot(vector).sqrt();
        let distance = length(&(&probe - &view(&read.probe)));
        let length = length(&probe);
        // A file with odd numbers in it is refused, too.
        match distance <= PROBE_TOLERANCE * length {
            true => Ok(read),
            false => Err(read.of_another_encoder()),
        }
    }

    fn check_width(&self, width: usize) -> Result<()> {
        let widths = [self.mean.len(), self.deviation.len(), self.probe.len()];
        match widths == [width; 3] && self.regression.shape() == [width, self.labels.len()] {
            true => Ok(()),
            false => Err(self.of_another_encoder()),
        }
    }

    fn of_another_encoder(&self) -> Error {
        Error::HeadEncoder {
            model: self.model.clone(),
        }
    }
}

fn labels_of(examples: &[(&str, &str)]) -> Result<LabelSet> {
    let mut labels: Vec<&str> = Vec::new();
    for (_, label) in examples {
        if !labels.contains(label) {
            labels.push(label);
        }
    }
    if labels.len() < 2 {
        return Err(Error::Examples {
            problem: "those of at least two labels are needed",
        });
    }
    Ok(LabelSet::new(labels)?)
}

fn view(values: &[f64]) -> ArrayView1<'_, f64> {
    ArrayView1::from(values)
}

fn probe(features: &TextFeatures) -> Result<Array1<f64>> {
    let rows = features.matrix(&features.of_batch(&[PROBE])?)?;
    Ok(rows.row(0).to_owned())
}
