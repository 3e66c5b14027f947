"""DICOM and NIfTI: the values of pydicom and nibabel, bit for bit, or refused in words."""

import sys

import numpy as np
import pytest

from pix2pix.data.images.decode import open_picture, read_pixels, read_size
from pix2pix.data.images.medical import read_volume

pydicom = pytest.importorskip("pydicom")
nibabel = pytest.importorskip("nibabel")


def write_dicom(file, pixels, **tags):
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data.SOPClassUID, data.SOPInstanceUID = pydicom.uid.SecondaryCaptureImageStorage, pydicom.uid.generate_uid()
    data.Rows, data.Columns = pixels.shape[:2]
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = pixels.dtype.itemsize * 8
    data.HighBit, data.PixelRepresentation = data.BitsStored - 1, int(pixels.dtype.kind == "i")
    data.PixelData = pixels.tobytes()
    for name, value in tags.items():
        setattr(data, name, value)
    data.save_as(file, enforce_file_format=True)
    return file


def numbers(kind, *shape):
    limits = np.iinfo(kind)
    return np.random.default_rng(0).integers(limits.min, limits.max, shape, kind, endpoint=True)


@pytest.mark.parametrize(("kind", "depth"), [(np.uint8, 8), (np.uint16, 16), (np.int16, 32)])
def test_stored_values_of_dicom_keep_their_depth(tmp_path, kind, depth):
    pixels = numbers(kind, 6, 8)
    file = write_dicom(tmp_path / "a.dcm", pixels, RescaleSlope=1, RescaleIntercept=0)
    assert np.array_equal(read_pixels(file, 1, depth)[0].numpy(), pixels)
    assert read_size(file) == (6, 8)


def test_hounsfield_units_are_whole_numbers_and_fractions_are_floats(tmp_path):
    pixels = numbers(np.uint16, 6, 8) // 16
    whole = write_dicom(tmp_path / "ct.dcm", pixels, RescaleSlope=1, RescaleIntercept=-1024, WindowCenter=40)
    data = pydicom.dcmread(whole)
    units = pydicom.pixels.apply_modality_lut(data.pixel_array, data)
    assert np.array_equal(read_pixels(whole, 1, 32)[0].numpy(), units)
    assert units.min() < 0
    parts = write_dicom(tmp_path / "pet.dcm", pixels, RescaleSlope=0.3, RescaleIntercept=2)
    data = pydicom.dcmread(parts)
    expected = pydicom.pixels.apply_modality_lut(data.pixel_array, data).astype(np.float32)
    assert np.array_equal(read_pixels(parts, 1, "float")[0].numpy(), expected)


def test_monochrome1_is_inverted_over_its_stored_bits(tmp_path):
    pixels = numbers(np.uint16, 6, 8) // 16
    bits = {"BitsStored": 12, "HighBit": 11, "PhotometricInterpretation": "MONOCHROME1"}
    assert np.array_equal(open_picture(write_dicom(tmp_path / "x.dcm", pixels, **bits))[..., 0], 4095 - pixels)
    signed = numbers(np.int16, 6, 8)
    file = write_dicom(tmp_path / "s.dcm", signed, PhotometricInterpretation="MONOCHROME1")
    assert np.array_equal(open_picture(file)[..., 0], -1 - signed)
    units = write_dicom(tmp_path / "u.dcm", pixels, RescaleSlope=2, RescaleIntercept=0, **bits)
    with pytest.raises(ValueError, match=r"u\.dcm: its zero is white .* Save it as MONOCHROME2"):
        open_picture(units)


def test_colours_of_dicom_are_read_and_colour_tables_refused(tmp_path):
    pixels = numbers(np.uint8, 6, 8, 3)
    rgb = {"SamplesPerPixel": 3, "PlanarConfiguration": 0, "PhotometricInterpretation": "RGB"}
    file = write_dicom(tmp_path / "rgb.dcm", pixels, **rgb)
    assert np.array_equal(read_pixels(file, 3).numpy(), pixels.transpose(2, 0, 1))
    table = write_dicom(tmp_path / "p.dcm", pixels[..., 0], PhotometricInterpretation="PALETTE COLOR")
    with pytest.raises(ValueError, match=r"its colours are PALETTE COLOR\. Save it as RGB"):
        open_picture(table)


def test_frames_and_damaged_files_are_refused_by_name(tmp_path):
    frames = write_dicom(tmp_path / "f.dcm", numbers(np.uint8, 6, 8), NumberOfFrames=2)
    with pytest.raises(ValueError, match=r"f\.dcm: holds 2 frames. Save the frame that you need"):
        open_picture(frames)
    (tmp_path / "no.dcm").write_bytes(b"no DICOM")
    whole = write_dicom(tmp_path / "cut.dcm", numbers(np.uint8, 60, 80)).read_bytes()
    (tmp_path / "cut.dcm").write_bytes(whole[:-2000])
    for name in ("no.dcm", "cut.dcm"):
        with pytest.raises(ValueError, match=rf"{name}: cannot be read as a picture"):
            open_picture(tmp_path / name)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_volumes_are_turned_to_the_axes_of_the_patient(tmp_path, suffix):
    values = numbers(np.int16, 3, 4, 5)
    # its axes run inferior, left, anterior
    affine = np.array([[0, -2, 0, 9], [0, 0, 3, -4], [-1, 0, 0, 5], [0, 0, 0, 1.0]])
    nibabel.save(nibabel.Nifti1Image(values, affine), tmp_path / f"v{suffix}")
    found = read_volume(tmp_path / f"v{suffix}")
    expected = nibabel.as_closest_canonical(nibabel.load(tmp_path / f"v{suffix}"))
    assert np.array_equal(found.values, np.asanyarray(expected.dataobj))
    assert np.array_equal(found.affine, expected.affine)
    assert found.values[1, 2, 1] == values[1, 2, 2]
    with pytest.raises(ValueError, match=r"a volume of 3 slices\. Make pictures of them: pix2pix data prepare slices"):
        open_picture(tmp_path / f"v{suffix}")


def test_a_single_slice_is_a_picture_with_the_front_at_the_top(tmp_path):
    values = np.arange(12, dtype=np.uint8).reshape(3, 4, 1)  # right, anterior
    nibabel.save(nibabel.Nifti2Image(values, np.eye(4)), tmp_path / "s.nii.gz")
    pixels = read_pixels(tmp_path / "s.nii.gz", 1)[0].tolist()
    assert pixels == [[3, 7, 11], [2, 6, 10], [1, 5, 9], [0, 4, 8]]
    assert read_size(tmp_path / "s.nii.gz") == (4, 3)


def test_a_slope_makes_floats_of_a_volume_and_four_axes_are_refused(tmp_path):
    image = nibabel.Nifti1Image(numbers(np.int16, 3, 4, 5).astype(np.float32), np.eye(4), dtype=None)
    image.set_data_dtype(np.int16)
    image.header.set_slope_inter(0.25, 3)
    nibabel.save(image, tmp_path / "v.nii")
    assert np.array_equal(read_volume(tmp_path / "v.nii").values, nibabel.load(tmp_path / "v.nii").get_fdata())
    nibabel.save(nibabel.Nifti1Image(numbers(np.uint8, 2, 2, 2, 2), np.eye(4)), tmp_path / "4.nii")
    with pytest.raises(ValueError, match=r"a volume of shape \(2, 2, 2, 2\)"):
        open_picture(tmp_path / "4.nii")


@pytest.mark.parametrize(("name", "what"), [("a.dcm", "DICOM"), ("a.nii.gz", "NIfTI")])
def test_without_the_extra_the_message_names_it(tmp_path, monkeypatch, name, what):
    (tmp_path / name).write_bytes(b"anything")
    monkeypatch.setitem(sys.modules, "pydicom", None)
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(ValueError, match=rf"{what} needs an extra: pip install 'pix2pix\[medical\]'"):
        open_picture(tmp_path / name)
