"""The errors of Rekognition, with AWS's names and words."""


class RekognitionError(Exception):
    """An error: its name in AWS's model and its message."""

    def __init__(self, code: str, message: str) -> None:
        """Make the error with AWS's name."""
        super().__init__(message)
        self.code = code
        self.message = message


def invalid_parameter(message: str = "Request has invalid parameters") -> RekognitionError:
    """Return the error of a request that breaks a rule of the operation."""
    return RekognitionError("InvalidParameterException", message)


def invalid_format() -> RekognitionError:
    """Return the error of a picture that is no valid JPEG or PNG."""
    return RekognitionError("InvalidImageFormatException", "Request has invalid image format")


def too_large(message: str = "Request image is too large") -> RekognitionError:
    """Return the error of a picture with too many bytes or pixels."""
    return RekognitionError("ImageTooLargeException", message)


def not_found(message: str) -> RekognitionError:
    """Return the error of a resource that does not exist."""
    return RekognitionError("ResourceNotFoundException", message)


def in_use(message: str) -> RekognitionError:
    """Return the error of a resource that is busy or a name that is taken."""
    return RekognitionError("ResourceInUseException", message)
