package network

import (
	"net"
	"net/http"

	"tripod/internal/upgrade"
)

// Carry hands the connection of a request over to far, and returns when both directions have ended. It closes both.
func Carry(w http.ResponseWriter, far net.Conn) {
	defer far.Close()
	near, err := upgrade.Take(w)
	if err != nil {
		return
	}
	defer near.Close()
	Join(near, far)
}
