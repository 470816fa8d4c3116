//! JPEGs that no camera makes: small files that mean much work (ITU-T T.81).

/// Just below the 40 megapixels that are decoded by default, in so many passes that it takes seconds.
pub(super) fn bomb() -> Vec<u8> {
    const SCANS: usize = 2_000;
    // SOF2: progressive. All AC coefficients of the first component again and again, from no data.
    let mut jpeg = head(0xc2, 7_000, 5_600);
    jpeg.extend(segment(0xda, &[3, 1, 0, 2, 0, 3, 0, 0, 0, 0]));
    jpeg.extend([0; 8]);
    for _ in 0..SCANS {
        jpeg.extend(segment(0xda, &[1, 1, 0, 1, 63, 0]));
        jpeg.extend([0; 4]);
    }
    jpeg.extend([0xff, 0xd9]);
    jpeg
}

/// 268 megapixels in a few hundred bytes.
pub(super) fn huge() -> Vec<u8> {
    let mut jpeg = head(0xc0, 16_384, 16_384);
    jpeg.extend(segment(0xda, &[3, 1, 0, 2, 0, 3, 0, 0, 63, 0]));
    jpeg.extend([0; 8]);
    jpeg.extend([0xff, 0xd9]);
    jpeg
}

/// Everything before the first scan: 4:2:0, one table of each kind, each with a code or two.
fn head(frame: u8, width: u16, height: u16) -> Vec<u8> {
    let ([wh, wl], [hh, hl]) = (width.to_be_bytes(), height.to_be_bytes());
    let mut jpeg = vec![0xff, 0xd8];
    jpeg.extend(segment(0xdb, &[&[0][..], &[16; 64]].concat()));
    jpeg.extend(segment(frame, &[8, hh, hl, wh, wl, 3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0]));
    let lengths = |codes: &[u8]| [codes, &[0; 16][codes.len()..]].concat();
    jpeg.extend(segment(0xc4, &[&[0x00][..], &lengths(&[1]), &[0x00]].concat()));
    jpeg.extend(segment(0xc4, &[&[0x10][..], &lengths(&[1, 1]), &[0x00, 0xe0]].concat()));
    jpeg
}

fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = (content.len() as u16 + 2).to_be_bytes();
    [&[0xff, marker, high, low], content].concat()
}
