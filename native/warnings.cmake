# HALFBYTE_WARNINGS: what the compilers are asked to say of all code here; HALFBYTE_NVCC_WARNINGS: the same for nvcc.
#
# They are errors where Halfbyte is developed (CONTRIBUTING.md); elsewhere what a newer compiler finds must not stop a build.
option(HALFBYTE_WARNINGS_AS_ERRORS "Let a warning of the C++ compiler or of nvcc stop the build" OFF)
set(HALFBYTE_WARNINGS -Wall -Wextra)
set(HALFBYTE_NVCC_WARNINGS -Xcompiler -Wall,-Wextra)
if(HALFBYTE_WARNINGS_AS_ERRORS)
  list(APPEND HALFBYTE_WARNINGS -Werror)
  list(APPEND HALFBYTE_NVCC_WARNINGS -Werror all-warnings)
endif()
