/* Carries DCE/RPC between a TCP connection on loopback and the pipe of Wine's service control manager.
 *
 * Wine serves \\.\pipe\svcctl inside its own prefix only. This program runs in that prefix, listens on a free
 * port, says "listening PORT", and gives each connection a pipe instance of its own. It ends when its standard
 * input ends, so that nothing is left behind when the test that started it dies. As an ordinary Windows
 * process it also keeps the prefix alive: Wine stops all services when the last such process has gone.
 */
#include <winsock2.h>
#include <windows.h>
#include <stdio.h>

#define PIPE_NAME "\\\\.\\pipe\\svcctl"
#define HEADER_SIZE 16
#define LENGTH_AT 8
#define FLAGS_AT 3
#define LAST_FRAGMENT 0x02
#define FRAGMENT_LIMIT 65536
#define OPEN_ATTEMPTS 100
#define OPEN_WAIT_MS 1000
#define LOOK_EVERY_MS 100

/* Reads exactly `size` bytes; 0 when the connection has ended. */
static int read_exactly(SOCKET socket, char *buffer, int size)
{
    int filled = 0;
    while (filled < size) {
        int more = recv(socket, buffer + filled, size - filled, 0);
        if (more <= 0)
            return 0;
        filled += more;
    }
    return 1;
}

/* Reads one whole fragment; its length, or 0 when the connection has ended or makes no sense. */
static int read_fragment(SOCKET socket, char *fragment)
{
    unsigned char *bytes = (unsigned char *)fragment;
    int length;
    if (!read_exactly(socket, fragment, HEADER_SIZE))
        return 0;
    length = bytes[LENGTH_AT] | bytes[LENGTH_AT + 1] << 8;
    if (length < HEADER_SIZE || !read_exactly(socket, fragment + HEADER_SIZE, length - HEADER_SIZE))
        return 0;
    return length;
}

/* Opens an instance of the pipe; all of them may be taken for a moment. */
static HANDLE open_pipe(void)
{
    DWORD mode = PIPE_READMODE_MESSAGE;
    int attempt;
    for (attempt = 0; attempt < OPEN_ATTEMPTS; attempt++) {
        HANDLE pipe = CreateFileA(PIPE_NAME, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING,
                                  FILE_FLAG_OVERLAPPED, NULL);
        if (pipe != INVALID_HANDLE_VALUE) {
            SetNamedPipeHandleState(pipe, &mode, NULL, NULL);
            return pipe;
        }
        if (GetLastError() == ERROR_PIPE_BUSY)
            WaitNamedPipeA(PIPE_NAME, OPEN_WAIT_MS);
        else
            Sleep(50);
    }
    return INVALID_HANDLE_VALUE;
}

/* Whether nobody is at the other end of a connection any more. */
static int has_ended(SOCKET socket)
{
    struct timeval at_once = { 0, 0 };
    fd_set readable;
    char byte;
    FD_ZERO(&readable);
    FD_SET(socket, &readable);
    return select(0, &readable, NULL, NULL, &at_once) > 0 && recv(socket, &byte, 1, MSG_PEEK) <= 0;
}

/* Reads one fragment from the pipe, which may take days; its length, or 0 when either side has ended. */
static DWORD read_answer(HANDLE pipe, HANDLE done, SOCKET socket, char *fragment)
{
    OVERLAPPED reading = { 0 };
    DWORD size = 0;
    reading.hEvent = done;
    if (!ReadFile(pipe, fragment, FRAGMENT_LIMIT, NULL, &reading) && GetLastError() != ERROR_IO_PENDING)
        return 0;
    while (WaitForSingleObject(done, LOOK_EVERY_MS) == WAIT_TIMEOUT) {
        if (has_ended(socket)) {
            CancelIo(pipe);
            GetOverlappedResult(pipe, &reading, &size, TRUE);
            return 0;
        }
    }
    return GetOverlappedResult(pipe, &reading, &size, TRUE) ? size : 0;
}

/* Writes one fragment into the pipe; 0 when that has ended. */
static int write_fragment(HANDLE pipe, HANDLE done, const char *fragment, int length)
{
    OVERLAPPED writing = { 0 };
    DWORD written = 0;
    writing.hEvent = done;
    if (!WriteFile(pipe, fragment, length, NULL, &writing) && GetLastError() != ERROR_IO_PENDING)
        return 0;
    return GetOverlappedResult(pipe, &writing, &written, TRUE) && (int)written == length;
}

/* Passes one answer on, fragment by fragment; 0 when either side has ended. */
static int pass_answer(HANDLE pipe, HANDLE done, SOCKET socket, char *fragment)
{
    for (;;) {
        DWORD size = read_answer(pipe, done, socket, fragment);
        if (size < HEADER_SIZE)
            return 0;
        if (send(socket, fragment, size, 0) != (int)size)
            return 0;
        if (fragment[FLAGS_AT] & LAST_FRAGMENT)
            return 1;
    }
}

static DWORD WINAPI serve(void *argument)
{
    SOCKET socket = (SOCKET)(UINT_PTR)argument;
    char *fragment = malloc(FRAGMENT_LIMIT);
    HANDLE pipe = open_pipe();
    HANDLE done = CreateEventA(NULL, TRUE, FALSE, NULL);
    int length;
    if (fragment != NULL && pipe != INVALID_HANDLE_VALUE) {
        while ((length = read_fragment(socket, fragment)) > 0) {
            if (!write_fragment(pipe, done, fragment, length))
                break;
            if ((fragment[FLAGS_AT] & LAST_FRAGMENT) && !pass_answer(pipe, done, socket, fragment))
                break;
        }
    }
    if (pipe != INVALID_HANDLE_VALUE)
        CloseHandle(pipe);
    CloseHandle(done);
    free(fragment);
    closesocket(socket);
    return 0;
}

/* Ends the program with its standard input. */
static DWORD WINAPI watch_input(void *unused)
{
    char byte;
    (void)unused;
    while (fread(&byte, 1, 1, stdin) == 1)
        ;
    ExitProcess(0);
}

int main(void)
{
    WSADATA data;
    SOCKET listener;
    struct sockaddr_in address = { 0 };
    int size = sizeof(address), yes = 1;

    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    WSAStartup(MAKEWORD(2, 2), &data);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(listener, 64) != 0
        || getsockname(listener, (struct sockaddr *)&address, &size) != 0) {
        printf("cannot listen on loopback: %d\n", WSAGetLastError());
        return 1;
    }
    printf("listening %d\n", ntohs(address.sin_port));
    fflush(stdout);
    CloseHandle(CreateThread(NULL, 0, watch_input, NULL, 0, NULL));
    for (;;) {
        SOCKET connection = accept(listener, NULL, NULL);
        if (connection == INVALID_SOCKET)
            continue;
        setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, (char *)&yes, sizeof(yes));
        CloseHandle(CreateThread(NULL, 0, serve, (void *)(UINT_PTR)connection, 0, NULL));
    }
}
