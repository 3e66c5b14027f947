"""Reads DICOM pictures with pydicom and slices of NIfTI volumes with nibabel (extra `medical`)."""

import gzip
import io
import math
from typing import Any, NamedTuple

import numpy as np

from pix2pix.core.extras import import_extra
from pix2pix.data.images.memory_file import File
from pix2pix.data.images.picture_files import UnsupportedError, read_bytes, require_memory

SUFFIXES = (".dcm", ".nii", ".nii.gz")
GREY = ("MONOCHROME1", "MONOCHROME2")
COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
GZIP = b"\x1f\x8b"
NIFTI_2 = (b"\x1c\x02\0\0", b"\0\0\x02\x1c")  # the size of its header, 540, in either order of bytes
UNCHANGED = (1.0, 0.0)  # the slope and intercept that change no value


class Volume(NamedTuple):
    """A NIfTI volume: its values along the axes right, anterior, superior, and where they lie in millimetres."""

    values: np.ndarray
    affine: np.ndarray


def read_dicom(file: File) -> np.ndarray:
    """The values of a DICOM picture, (H, W, C).

    Stored values keep their type. Where a slope or an intercept turns them into units, such as Hounsfield's, the result
    is int32 for whole numbers, else float64. MONOCHROME1, whose low values are white, is inverted over the range of its
    stored bits. No window is applied: `data.source_range` is one (DICOM PS3.3, C.7.6.3 and C.11.1).

    Raises:
        UnsupportedError: for several frames, colour tables, or inverted values with units.
    """
    content, pydicom = read_bytes(file), import_extra("pydicom", "DICOM", "medical")
    dicom = pydicom.dcmread(io.BytesIO(content))
    _require_one_picture(dicom)
    require_memory(dicom.Rows * dicom.Columns * dicom.SamplesPerPixel * dicom.BitsAllocated // 8, len(content))
    try:
        pixels: np.ndarray = pydicom.pixels.pixel_array(dicom)
    except RuntimeError as error:
        if "missing dependencies" not in str(error):
            raise
        name = dicom.file_meta.TransferSyntaxUID.name
        raise UnsupportedError(f"{name} needs pylibjpeg: pip install 'pylibjpeg[all]'.") from error
    pixels = _apply_units(pixels, dicom, pydicom)
    return pixels.reshape(*pixels.shape[:2], -1)


def read_dicom_size(file: File) -> tuple[int, int]:
    """Height and width of a DICOM picture, from its header alone."""
    pydicom = import_extra("pydicom", "DICOM", "medical")
    dicom = pydicom.dcmread(io.BytesIO(read_bytes(file)), stop_before_pixels=True)
    return int(dicom.Rows), int(dicom.Columns)


def _require_one_picture(dicom: Any) -> None:
    frames, colours = int(dicom.get("NumberOfFrames") or 1), dicom.PhotometricInterpretation
    if frames > 1:
        raise UnsupportedError(f"holds {frames} frames. Save the frame that you need as a file of its own.")
    if colours not in {*GREY, *COLOURS}:
        raise UnsupportedError(f"its colours are {colours}. Save it as RGB or MONOCHROME2.")


def _apply_units(pixels: np.ndarray, dicom: Any, pydicom: Any) -> np.ndarray:
    """The stored values in their units, from dark to light."""
    scale = float(dicom.get("RescaleSlope", 1)), float(dicom.get("RescaleIntercept", 0))
    has_units = scale != UNCHANGED or "ModalityLUTSequence" in dicom
    if dicom.PhotometricInterpretation == "MONOCHROME1":
        if has_units:
            raise UnsupportedError(
                "its zero is white (MONOCHROME1), but its values have units. Save it as MONOCHROME2."
            )
        # All ones, less the value: -1 - value for signed numbers.
        return np.asarray(-1 if dicom.PixelRepresentation else 2**dicom.BitsStored - 1, pixels.dtype) - pixels
    if not has_units:
        return pixels
    values = pydicom.pixels.apply_modality_lut(pixels, dicom)
    return values.astype(np.int32) if all(number.is_integer() for number in scale) else values


def read_nifti(file: File) -> np.ndarray:
    """The only slice of a NIfTI file, (H, W, 1), with the patient's front at the top; UnsupportedError for a volume."""
    values = read_volume(file).values
    if values.shape[2] != 1:
        raise UnsupportedError(
            f"a volume of {values.shape[2]} slices. Make pictures of them: pix2pix data prepare slices A B -o OUTPUT."
        )
    return np.rot90(values[:, :, 0])[..., None]


def read_nifti_size(file: File) -> tuple[int, int]:
    """Height and width of the slice of a NIfTI file."""
    height, width = read_nifti(file).shape[:2]
    return height, width


def read_volume(file: File) -> Volume:
    """A volume with its axes in the order right, anterior, superior, as nearly as it lies along them.

    Values are those of nibabel: the stored integers, or floats where the header has a slope or an intercept.
    """
    content, nibabel = read_bytes(file), import_extra("nibabel", "NIfTI", "medical")
    stream: Any = io.BytesIO(content)
    stream = gzip.GzipFile(fileobj=stream) if content[:2] == GZIP else stream
    kind = nibabel.Nifti2Image if stream.read(4) in NIFTI_2 else nibabel.Nifti1Image
    stream.seek(0)
    image = kind.from_stream(stream)  # the header alone; the values are read below
    shape = image.shape + (1,) * (3 - len(image.shape))
    if len(shape) != 3:
        raise UnsupportedError(f"a volume of shape {image.shape}. Save one volume of three axes.")
    require_memory(math.prod(shape) * 8, len(content))
    turn = nibabel.io_orientation(image.affine)
    values = nibabel.apply_orientation(np.asanyarray(image.dataobj).reshape(shape), turn)
    return Volume(values, image.affine @ nibabel.orientations.inv_ornt_aff(turn, shape))
