// framewire for C++17, header only: the functions of framewire.h with owners, views and types, and without exceptions.
//
// A connection is a value: put it into a class of yours. It can be moved, which leaves a connection behind that refuses
// everything, and it cannot be copied. Whatever points into a buffer is a view, and as valid as in C. framewire.h has the
// rules, and docs/c.md the loop.
//
// Licence: MIT or Apache-2.0, at your option.
#ifndef FRAMEWIRE_HPP
#define FRAMEWIRE_HPP

#include <framewire.h>
#include <framewire/deflate.h>
#include <framewire/handshake.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

namespace framewire {

// Bytes of somebody else, that may be written: std::span<std::uint8_t> of C++20, as far as it is needed here.
class bytes {
public:
    constexpr bytes() noexcept = default;
    constexpr bytes(std::uint8_t *data, std::size_t size) noexcept : data_(data), size_(size) {}

    constexpr std::uint8_t *data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_; }
    constexpr bool empty() const noexcept { return size_ == 0; }
    constexpr std::uint8_t *begin() const noexcept { return data_; }
    constexpr std::uint8_t *end() const noexcept { return data_ + size_; }
    std::string_view text() const noexcept { return {reinterpret_cast<const char *>(data_), size_}; }

private:
    std::uint8_t *data_ = nullptr;
    std::size_t size_ = 0;
};

// An error of the library, or none. It is true if there is an error.
class error {
public:
    constexpr error() noexcept = default;
    constexpr explicit error(int number) noexcept : number_(number < 0 ? number : FW_OK) {}

    constexpr explicit operator bool() const noexcept { return number_ != FW_OK; }
    constexpr int number() const noexcept { return number_; }
    const char *name() const noexcept { return fw_error_name(number_); }
    const char *text() const noexcept { return fw_error_text(number_); }
    // The code of the close frame that tells the peer; 0 if it is not an error of the peer.
    std::uint16_t close_code() const noexcept { return fw_error_close_code(number_); }

    friend constexpr bool operator==(error a, error b) noexcept { return a.number_ == b.number_; }
    friend constexpr bool operator!=(error a, error b) noexcept { return a.number_ != b.number_; }

private:
    int number_ = FW_OK;
};

enum class role : int { server = FW_SERVER, client = FW_CLIENT };
enum class kind : int { text = FW_TEXT, binary = FW_BINARY };
enum class state : int {
    open = FW_STATE_OPEN,
    close_sent = FW_STATE_CLOSE_SENT,
    close_received = FW_STATE_CLOSE_RECEIVED,
    closed = FW_STATE_CLOSED
};

// A masking key: new for each frame of a client. A server passes none (nullptr).
using key = std::array<std::uint8_t, 4>;

// A header or a control frame to be written, or why there is none. It is empty with an error, and if no frame is due.
template <std::size_t N> class made {
public:
    const std::uint8_t *data() const noexcept { return bytes_.data(); }
    std::size_t size() const noexcept { return len_ > 0 ? static_cast<std::size_t>(len_) : 0; }
    bool empty() const noexcept { return len_ <= 0; }
    framewire::error error() const noexcept { return framewire::error(len_); }
    std::string_view text() const noexcept { return {reinterpret_cast<const char *>(data()), size()}; }

private:
    friend class connection;
    std::array<std::uint8_t, N> bytes_; // not cleared: only what is written is shown
    int len_ = 0;
};

using header = made<FW_HEADER_MAX>;
using control_frame = made<FW_CONTROL_MAX>;

class connection {
public:
    explicit connection(role r, const fw_config &config = fw_config{}) noexcept {
        raw_.opaque[0] = 0; // if init fails, everything is refused
        init_ = fw_init(&raw_, sizeof raw_, static_cast<int>(r), &config);
    }
    connection(const connection &) = delete;
    connection &operator=(const connection &) = delete;
    connection(connection &&other) noexcept : raw_(other.raw_), init_(other.init_) { other.leave(); }
    connection &operator=(connection &&other) noexcept {
        if (this != &other) {
            raw_ = other.raw_;
            init_ = other.init_;
            other.leave();
        }
        return *this;
    }

    // Why there is no connection: a configuration without a meaning, or a library that needs more memory than this header says
    // (FW_E_SIZE); FW_E_STATE after it was moved away. None if there is one.
    framewire::error init_error() const noexcept { return framewire::error(init_); }

    // Calls on_event(const fw_event &) for each event of what was read, and returns the peer's error if there is one: answer
    // that with fail. If on_event throws, `read` begins behind its event: call this again with it, or drop the connection.
    template <class F> framewire::error receive(bytes &read, F &&on_event) {
        std::uint8_t *data = read.data();
        std::size_t len = read.size();
        fw_event event;
        int result;
        while ((result = fw_receive(&raw_, &data, &len, &event)) == 1) {
            read = bytes(data, len);
            on_event(std::as_const(event));
        }
        read = bytes(data, len);
        return framewire::error(result);
    }

    // The same for bytes that stay as they are. If on_event throws, drop the connection: what follows is lost.
    template <class F> framewire::error receive(const bytes &read, F &&on_event) {
        bytes rest = read;
        return receive(rest, std::forward<F>(on_event));
    }

    framewire::error receive_eof() noexcept { return framewire::error(fw_receive_eof(&raw_)); }
    std::uint64_t remaining() const noexcept { return fw_remaining(&raw_); }
    std::size_t want(std::size_t room) const noexcept { return fw_want(&raw_, room); }
    framewire::state state() const noexcept { return static_cast<framewire::state>(fw_state(&raw_)); }

    control_frame reply(const fw_event &event, const key *k = nullptr) noexcept {
        control_frame out;
        out.len_ = fw_reply(&raw_, &event, at(k), out.bytes_.data(), out.bytes_.size());
        return out;
    }
    control_frame fail(framewire::error error, const key *k = nullptr) noexcept {
        control_frame out;
        out.len_ = fw_fail(&raw_, error.number(), at(k), out.bytes_.data(), out.bytes_.size());
        return out;
    }
    control_frame fail(std::uint16_t code, std::string_view reason, const key *k = nullptr) noexcept {
        control_frame out;
        out.len_ = fw_fail_with(&raw_, code, at(reason), reason.size(), at(k), out.bytes_.data(), out.bytes_.size());
        return out;
    }
    control_frame close(std::uint16_t code, std::string_view reason = {}, const key *k = nullptr) noexcept {
        control_frame out;
        out.len_ = fw_close(&raw_, code, at(reason), reason.size(), at(k), out.bytes_.data(), out.bytes_.size());
        return out;
    }
    control_frame ping(std::string_view data = {}, const key *k = nullptr) noexcept {
        control_frame out;
        out.len_ = fw_ping(&raw_, at(data), data.size(), at(k), out.bytes_.data(), out.bytes_.size());
        return out;
    }
    control_frame pong(std::string_view data = {}, const key *k = nullptr) noexcept {
        control_frame out;
        out.len_ = fw_pong(&raw_, at(data), data.size(), at(k), out.bytes_.data(), out.bytes_.size());
        return out;
    }
    header message(kind what, std::uint64_t len, const key *k = nullptr, int rsv = 0) noexcept {
        header out;
        out.len_ = fw_message(&raw_, static_cast<int>(what), rsv, len, at(k), out.bytes_.data(), out.bytes_.size());
        return out;
    }
    header fragment(kind what, std::uint64_t len, bool last, const key *k = nullptr, int rsv = 0) noexcept {
        header out;
        out.len_ =
            fw_fragment(&raw_, static_cast<int>(what), rsv, len, last, at(k), out.bytes_.data(), out.bytes_.size());
        return out;
    }

    // For the functions of framewire/deflate.h.
    fw_connection *raw() noexcept { return &raw_; }

private:
    void leave() noexcept {
        raw_.opaque[0] = 0;
        init_ = FW_E_STATE;
    }
    static const std::uint8_t *at(const key *k) noexcept { return k ? k->data() : nullptr; }
    static const std::uint8_t *at(std::string_view text) noexcept {
        return reinterpret_cast<const std::uint8_t *>(text.data());
    }

    fw_connection raw_;
    int init_;
};

// Masks or unmasks in place.
inline void mask(bytes data, const key &k, std::size_t phase = 0) noexcept {
    fw_mask(data.data(), data.data(), data.size(), k.data(), phase);
}

inline bool is_utf8(std::string_view text) noexcept {
    return fw_utf8_check(reinterpret_cast<const std::uint8_t *>(text.data()), text.size(), nullptr) == FW_OK;
}

inline fw_str str(std::string_view text) noexcept { return {text.data(), text.size()}; }
inline std::string_view view(const fw_str &text) noexcept { return {text.data, text.data ? text.len : 0}; }

// The owners of the objects of framewire/deflate.h.
struct deleter {
    void operator()(fw_inflate_pool *pool) const noexcept { fw_inflate_pool_free(pool); }
    void operator()(fw_deflate_pool *pool) const noexcept { fw_deflate_pool_free(pool); }
    void operator()(fw_inflater *inflater) const noexcept { fw_inflater_free(inflater); }
    void operator()(fw_deflater *deflater) const noexcept { fw_deflater_free(deflater); }
};
using inflate_pool = std::unique_ptr<fw_inflate_pool, deleter>;
using deflate_pool = std::unique_ptr<fw_deflate_pool, deleter>;
using inflater = std::unique_ptr<fw_inflater, deleter>;
using deflater = std::unique_ptr<fw_deflater, deleter>;

// None if the pool has no window left, or if the parameters are wrong.
inline inflater make_inflater(role r, const fw_deflate &params, const inflate_pool &pool) noexcept {
    fw_inflater *made = nullptr;
    fw_inflater_new(static_cast<int>(r), &params, pool.get(), &made);
    return inflater(made);
}
inline deflater make_deflater(role r, const fw_deflate &params) noexcept {
    fw_deflater *made = nullptr;
    fw_deflater_new(static_cast<int>(r), &params, &made);
    return deflater(made);
}

} // namespace framewire

#endif
