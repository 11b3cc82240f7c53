// An echo server in C++17, on a thread for each connection. It collects each message, and sends it back.
//
//     c++ -std=c++17 -O2 echo_server.cpp $(pkg-config --cflags --libs framewire) -pthread -o echo_server_cpp
//     ./echo_server_cpp 9001
#include <arpa/inet.h>
#include <framewire.hpp>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <thread>
#include <vector>

namespace {

class peer {
public:
    explicit peer(int fd) : fd_(fd) {}
    peer(const peer &) = delete;
    peer &operator=(const peer &) = delete;

    void serve() {
        const std::size_t frames = handshake();
        if (!ok_) return;
        receive(frames);
        while (ok_) {
            const ssize_t n = ::recv(fd_, rx_.data(), rx_.size(), 0);
            if (n <= 0) return;
            if (ws_.state() == framewire::state::closed) continue; // until the peer has read our close, and closes
            receive(static_cast<std::size_t>(n));
        }
    }

private:
    // Returns how many bytes of frames came with the request; they are at the front of rx_ then.
    std::size_t handshake() {
        std::array<std::uint8_t, 1024> out;
        std::size_t len = 0;
        fw_request request;
        int n;
        while ((n = fw_request_parse(rx_.data(), len, &request)) == 0) {
            const ssize_t got = ::recv(fd_, rx_.data() + len, rx_.size() - len, 0);
            if (got <= 0) return ok_ = false;
            len += static_cast<std::size_t>(got);
        }
        if (n > 0 && !request.upgrade) n = FW_E_NOT_UPGRADE;
        const int answer = n > 0 ? fw_answer_write(&request, nullptr, out.data(), out.size())
                                 : fw_refusal_write(n, out.data(), out.size());
        if (answer > 0) write(out.data(), static_cast<std::size_t>(answer));
        if (n < 0) return ok_ = false;
        std::memmove(rx_.data(), rx_.data() + n, len - static_cast<std::size_t>(n));
        return len - static_cast<std::size_t>(n);
    }

    void receive(std::size_t len) {
        const auto error = ws_.receive({rx_.data(), len}, [this](const fw_event &event) {
            if (event.type != FW_EVENT_MESSAGE && event.type != FW_EVENT_PART) {
                write(ws_.reply(event)); // a pong, a close
                return;
            }
            message_.append(framewire::bytes(event.data, event.len).text()); // within the connection's limit: 16 MiB
            if (!event.last) return;
            write(ws_.message(static_cast<framewire::kind>(event.kind), message_.size()));
            write(reinterpret_cast<const std::uint8_t *>(message_.data()), message_.size());
            message_.clear();
        });
        if (error) write(ws_.fail(error));
        if (ws_.state() == framewire::state::closed) ::shutdown(fd_, SHUT_WR);
    }

    template <std::size_t N> void write(const framewire::made<N> &made) { write(made.data(), made.size()); }

    void write(const std::uint8_t *data, std::size_t len) {
        while (ok_ && len > 0) {
            const ssize_t n = ::send(fd_, data, len, MSG_NOSIGNAL);
            if (n <= 0) ok_ = false;
            else data += n, len -= static_cast<std::size_t>(n);
        }
    }

    int fd_;
    bool ok_ = true;
    framewire::connection ws_{framewire::role::server};
    std::string message_;
    std::vector<std::uint8_t> rx_ = std::vector<std::uint8_t>(64 * 1024);
};

void stop(int number) { _exit(number - SIGTERM); }

// A connection from its start to its end. What runs out of memory ends this connection, and no other.
void serve(int fd) noexcept {
    try {
        peer(fd).serve();
    } catch (const std::exception &error) {
        std::fprintf(stderr, "echo_server_cpp: %s\n", error.what());
    }
    ::close(fd);
}

} // namespace

int main(int argc, char **argv) {
    sockaddr_in at{};
    socklen_t at_len = sizeof at;
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0), one = 1;
    std::signal(SIGTERM, stop);
    at.sin_family = AF_INET;
    at.sin_port = htons(static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 9001));
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); // inherited
    if (::bind(listener, reinterpret_cast<sockaddr *>(&at), sizeof at) || ::listen(listener, 1024) ||
        ::getsockname(listener, reinterpret_cast<sockaddr *>(&at), &at_len)) {
        std::perror("echo_server_cpp");
        return 1;
    }
    std::printf("listening on ws://127.0.0.1:%d/\n", ntohs(at.sin_port));
    std::fflush(stdout);
    for (;;) {
        const int fd = ::accept(listener, nullptr, nullptr);
        if (fd < 0) { // most likely no descriptors are left
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
            continue;
        }
        try {
            std::thread(serve, fd).detach();
        } catch (const std::exception &error) { // no threads are left
            std::fprintf(stderr, "echo_server_cpp: %s\n", error.what());
            ::close(fd);
        }
    }
}
