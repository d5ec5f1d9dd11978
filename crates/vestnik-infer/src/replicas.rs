//! One model on several devices.

use std::thread;

use crate::analysis::{Analysis, Request};
use crate::error::{Error, Result};
use crate::portion::Portion;
use crate::vestnik::Vestnik;

/// The same model on several devices, which share the texts of a call.
///
/// ```no_run
/// use vestnik_infer::{DeviceChoice, Replicas, Vestnik};
///
/// let open = |gpu| Vestnik::builder().device(DeviceChoice::Cuda(gpu)).open();
/// let replicas = Replicas::new(open(0)?, vec![open(1)?]);
/// # Ok::<(), vestnik_infer::Error>(())
/// ```
#[derive(Debug)]
pub struct Replicas {
    first: Vestnik,
    others: Vec<Vestnik>,
}

impl Replicas {
    /// Takes one model that was opened several times.
    #[must_use]
    pub fn new(first: Vestnik, others: Vec<Vestnik>) -> Self {
        Self { first, others }
    }

    /// One of them: what they are alike in can be asked there.
    #[must_use]
    pub fn first(&self) -> &Vestnik {
        &self.first
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Vestnik> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// How many texts of a stream are worth reading at once on all devices.
    #[must_use]
    pub fn portion(&self) -> Portion {
        let (mut texts, mut bytes) = (0, 0);
        for vestnik in self.iter() {
            texts += vestnik.portion().texts;
            bytes += vestnik.portion().bytes;
        }
        Portion { texts, bytes }
    }

    /// [`Vestnik::analyze_requests`], each device with its part of the texts, all at the same time.
    ///
    /// # Errors
    /// As there; where several fail, that of the first texts.
    pub fn analyze_requests(&self, requests: &[Request<'_>]) -> Result<Vec<Analysis>> {
        let mut parts = self.parts(requests).into_iter();
        let first = parts.next().unwrap_or_default();
        thread::scope(|scope| {
            let others: Vec<_> = self
                .others
                .iter()
                .zip(parts)
                .map(|(vestnik, part)| scope.spawn(|| vestnik.analyze_requests(part)))
                .collect();
            let mut analyses = self.first.analyze_requests(first)?;
            for other in others {
                let found = other.join();
                let found = found.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                let behind = |error: Error| error.behind(analyses.len());
                let found = found.map_err(behind)?;
                analyses.extend(found);
            }
            Ok(analyses)
        })
    }

    /// Texts that follow each other for each device, of about equally many bytes.
    fn parts<'a, 't>(&self, requests: &'a [Request<'t>]) -> Vec<&'a [Request<'t>]> {
        let n = self.others.len() + 1;
        let total: usize = requests.iter().map(|request| request.text.len()).sum();
        let (mut rest, mut taken) = (requests, 0);
        (1..=n)
            .map(|part| {
                let mut len = 0;
                while len < rest.len() && (part == n || taken * n < total * part) {
                    taken += rest[len].text.len();
                    len += 1;
                }
                let (of_part, behind) = rest.split_at(len);
                rest = behind;
                of_part
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DeviceChoice;

    fn open() -> Vestnik {
        let builder = Vestnik::builder().device(DeviceChoice::Cpu);
        let folder = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../vestnik-model/tests/fixtures/bert"
        );
        builder.dir(folder).open().unwrap()
    }

    #[test]
    fn each_text_is_in_one_part() {
        let replicas = Replicas::new(open(), vec![open(), open()]);
        for n in [0, 1, 2, 3, 17] {
            let texts: Vec<String> = (0..n).map(|i| "Kyiv ".repeat(i * i % 5)).collect();
            let requests: Vec<Request<'_>> = texts
                .iter()
                .map(|text| Request::from(text.as_str()))
                .collect();
            let parts = replicas.parts(&requests);
            assert_eq!(parts.len(), 3);
            let together: Vec<&str> = parts
                .iter()
                .flat_map(|part| part.iter().map(|request| request.text))
                .collect();
            assert_eq!(together, texts);
            let (shared, alone) = (
                replicas.analyze_requests(&requests).unwrap(),
                replicas.first().analyze_requests(&requests).unwrap(),
            );
            assert_eq!(shared, alone);
        }
    }
}
