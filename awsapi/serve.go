package awsapi

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// helloTimeout is how long a client may be silent after connecting, and headerTimeout how long its headers may
	// take.
	helloTimeout  = 10 * time.Second
	headerTimeout = 10 * time.Second
	// bodyTimeout is how long a whole request may take to arrive; see newcomers for callers who are not known yet.
	bodyTimeout = 30 * time.Second
	// streamBuffer is how many bytes of a request HTTP/2 takes before somebody reads them, of a connection and of a
	// stream: the least that it may be. mostStreams is how many requests a connection may have under way.
	streamBuffer, mostStreams = 64 << 10, 100
	// idleTimeout is longer than the SDKs keep idle connections, so that they and not we close them.
	idleTimeout = 2 * time.Minute
	// drainTimeout is how long calls may go on once Serve's context has ended.
	drainTimeout = 5 * time.Second

	tlsHandshakeRecord = 0x16
)

// Serve serves handler on listener, TCP or unix, until ctx ends: HTTPS for connections whose first byte begins a TLS
// handshake, HTTP for all others. A nil tlsConfig means HTTP only. It closes the listener, lets running calls finish
// for up to 5 s and returns nil then; any other end is an error.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler, tlsConfig *tls.Config,
	logger *slog.Logger) error {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	httpServer := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       bodyTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    64 << 10,
		// OPTIONS * is refused as any other unsigned request.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	httpServer.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: mostStreams, MaxReceiveBufferPerConnection: streamBuffer,
		MaxReceiveBufferPerStream: streamBuffer}
	httpServer.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, newcomerKey{}, newcomerOf(conn))
	}
	httpServer.ConnState = func(conn net.Conn, state http.ConnState) {
		if state == http.StateIdle {
			newcomerOf(conn).answered()
		}
	}
	split := newSplitter(listener)
	if tlsConfig != nil {
		httpServer.TLSConfig = tlsConfig.Clone()
		// Said aloud, or the server sets HTTP/2 up only if ServeTLS below happens to come before Serve.
		httpServer.TLSConfig.NextProtos = []string{"h2", "http/1.1"}
		split.secure = newHandOff(listener.Addr())
	}
	var running sync.WaitGroup
	ended := make(chan error, 3)
	start := func(serve func() error) {
		running.Go(func() { ended <- serve() })
	}
	start(split.run)
	start(func() error { return httpServer.Serve(split.plain) })
	if split.secure != nil {
		start(func() error { return httpServer.ServeTLS(split.secure, "", "") })
	}

	var failure error
	select {
	case <-ctx.Done():
	case failure = <-ended:
	}
	split.stop()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := httpServer.Shutdown(drain); err != nil {
		logger.Warn("calls were cut off", "error", err)
		httpServer.Close()
	}
	running.Wait()
	if failure != nil && !errors.Is(failure, http.ErrServerClosed) && !errors.Is(failure, net.ErrClosed) {
		return fmt.Errorf("serve AWS endpoint on %s: %w", listener.Addr(), failure)
	}
	return nil
}
