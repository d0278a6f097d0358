namespace Halfbyte;

/// <summary>What a call of the C library returned. The values are those of the C header.</summary>
public enum HalfbyteStatus
{
    /// <summary>Done.</summary>
    Ok = 0,

    /// <summary>A required pointer is null.</summary>
    NullPointer = 10,

    /// <summary>A pointer is not aligned to its element's size.</summary>
    Misaligned = 11,

    /// <summary>An output overlaps an input or another output.</summary>
    Overlap = 12,

    /// <summary>A size is negative or too large, or a leading dimension is shorter than its row.</summary>
    InvalidSize = 13,

    /// <summary>A data or index type is unknown or not accepted here.</summary>
    InvalidDType = 14,

    /// <summary>A quantization type, block size or code table is not accepted.</summary>
    InvalidFormat = 15,

    /// <summary>A number is outside its range.</summary>
    InvalidValue = 16,

    /// <summary>The stream handle is not a live stream.</summary>
    InvalidHandle = 17,

    /// <summary>A weight or pointer lives on another device than the stream.</summary>
    WrongDevice = 18,

    /// <summary>The workspace is smaller than the query asked for.</summary>
    WorkspaceTooSmall = 19,

    /// <summary>The device has not enough memory.</summary>
    OutOfMemory = 30,

    /// <summary>No such device, or a library without its backend.</summary>
    NoDevice = 40,

    /// <summary>The device or processor lacks what was asked for, by a call or by the environment.</summary>
    NotSupported = 41,

    /// <summary>The device's driver or runtime reported an error.</summary>
    DeviceError = 50,

    /// <summary>A defect of the library.</summary>
    Internal = 90,
}
