//! Pages of lists, bounded in rows and in bytes.

use problem::Problem;
use prost::Message;

/// The most bytes of the rows of one page. The first row is answered whatever its size, so that every page goes on.
pub const PAGE_BYTES: usize = 1 << 20;
/// The most rows of a page, and how many it has if its size is not stated.
const MAX_ROWS: u32 = 500;
const ROWS: u32 = 100;

/// One page of a list whose rows are made from numbered entries, oldest first.
#[derive(Debug)]
pub struct Page {
    /// The page has the rows after this entry.
    pub after: Option<u64>,
    /// At most this many entries are looked at.
    pub size: u32,
    bytes: usize,
    rows: usize,
    done: Option<u64>,
    full: bool,
}

impl Page {
    /// The page that a request asks for; a `size` of 0 leaves it to the service.
    pub fn parse(size: u32, token: &str) -> Result<Self, Problem> {
        let after = match token {
            "" => None,
            token => Some(
                token
                    .parse()
                    .map_err(|_| Problem::field("MALFORMED", "page_token", "not a page token of this call"))?,
            ),
        };
        let size = if size == 0 { ROWS } else { size.min(MAX_ROWS) };
        Ok(Self { after, size, bytes: 0, rows: 0, done: None, full: false })
    }

    /// Whether the page still takes `row`, made from entry `number`. If not, the page is full and ends before it.
    pub fn takes(&mut self, number: u64, row: &impl Message) -> bool {
        let bytes = self.bytes.saturating_add(row.encoded_len());
        if self.full || (self.rows > 0 && bytes > PAGE_BYTES) {
            self.full = true;
            return false;
        }
        (self.bytes, self.rows) = (bytes, self.rows + 1);
        self.done = Some(number);
        true
    }

    /// Passes over entry `number`, which makes no row.
    pub fn passes(&mut self, number: u64) {
        self.done = Some(number);
    }

    /// The token of the next page, where `found` entries were there to look at; empty if there is none.
    pub fn next(&self, found: usize) -> String {
        let more = self.full || found >= self.size as usize;
        self.done.filter(|_| more).map_or_else(String::new, |number| number.to_string())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// All pages of a list of rows of these sizes; every third entry makes no row.
    fn pages(sizes: &[usize], size: u32) -> Vec<Vec<u64>> {
        let entries: Vec<(u64, String)> =
            (0..).map(|n| 7 * n).zip(sizes.iter().map(|size| "x".repeat(*size))).collect();
        let (mut pages, mut token) = (Vec::new(), String::new());
        loop {
            let mut page = Page::parse(size, &token).unwrap();
            let after = entries.iter().filter(|(number, _)| page.after.is_none_or(|after| *number > after));
            let found: Vec<_> = after.take(page.size as usize).collect();
            let mut rows = Vec::new();
            for (number, row) in &found {
                if number % 3 == 0 {
                    page.passes(*number);
                } else if page.takes(*number, row) {
                    rows.push(*number);
                } else {
                    break;
                }
            }
            token = page.next(found.len());
            pages.push(rows);
            if token.is_empty() {
                return pages;
            }
        }
    }

    #[test]
    fn pages_cover_every_row_once_within_their_bytes() {
        let mib = PAGE_BYTES;
        for sizes in
            [vec![], vec![10; 1_234], vec![mib / 3; 40], vec![3 * mib; 9], vec![5, 2 * mib, 5, 5, mib - 20, 30, 5]]
        {
            for size in [0, 1, 4, 500] {
                let pages = pages(&sizes, size);
                let rows: Vec<u64> = pages.iter().flatten().copied().collect();
                let wanted: Vec<u64> =
                    (0..sizes.len() as u64).map(|n| 7 * n).filter(|number| number % 3 != 0).collect();
                assert_eq!(rows, wanted, "pages of {size} rows");
                for page in pages {
                    let bytes: usize = page.iter().map(|number| sizes[usize::try_from(number / 7).unwrap()]).sum();
                    assert!(bytes <= PAGE_BYTES || page.len() == 1, "{} rows of {bytes} bytes", page.len());
                }
            }
        }
    }

    #[test]
    fn only_a_token_of_ours_is_read() {
        assert_eq!(Page::parse(0, "12").unwrap().after, Some(12));
        assert_eq!(Page::parse(9_999, "x").unwrap_err().reason, "MALFORMED");
    }
}
