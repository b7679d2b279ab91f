"""The error answers of Rekognition, by AWS's names and in AWS's words."""


class RekognitionError(Exception):
    """An error answer: a modelled error name and the sentence that goes with it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def invalid_parameter(message: str = "Request has invalid parameters") -> RekognitionError:
    """Say that the request breaks a rule of the operation."""
    return RekognitionError("InvalidParameterException", message)


def invalid_format() -> RekognitionError:
    """Say that the picture is neither a JPEG nor a PNG, or a broken one."""
    return RekognitionError("InvalidImageFormatException", "Request has invalid image format")


def too_large(message: str = "Request image is too large") -> RekognitionError:
    """Say that the picture has too many bytes or pixels."""
    return RekognitionError("ImageTooLargeException", message)


def not_found(message: str) -> RekognitionError:
    """Say that what was named does not exist."""
    return RekognitionError("ResourceNotFoundException", message)


def in_use(message: str) -> RekognitionError:
    """Say that what was named is busy or its name is taken."""
    return RekognitionError("ResourceInUseException", message)
