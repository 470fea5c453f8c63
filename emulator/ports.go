package emulator

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"tripod/az"
	"tripod/client"
)

// A region's ports stand in one contiguous range. Its first ten are the zones'; each cluster has ten. What the zones have left over, and what is left at
// the end, are the clusters' private endpoints.
const (
	portRange     = 128
	raftOffset    = 0
	gatewayOffset = 3
	privateOffset = 6
	clusterOffset = 10
	// mostClusters leaves the range's last port, which may be the AWS endpoint's.
	mostClusters = (portRange - 1 - clusterOffset) / az.PortsPerCluster
)

// privatePort is the port of the private endpoint of the cluster with that public one.
func privatePort(base, endpoint int) int {
	slot := (endpoint - base - clusterOffset) / az.PortsPerCluster
	if among := clusterOffset - privateOffset; slot >= among {
		return base + clusterOffset + mostClusters*az.PortsPerCluster + slot - among
	}
	return base + privateOffset + slot
}

// choosePortBase finds a free range. It stays below the range that systems take clients' ports from (32768 on Linux), since a port of
// it could be anybody's at the next start.
func choosePortBase(reservations, dataDir string) (int, error) {
	const lowest, highest = 20000, 32000
	for range 200 {
		base := lowest + portRange*rand.IntN((highest-lowest)/portRange)
		if taken(base, portRange) == 0 && reserve(reservations, base, dataDir) {
			return base, nil
		}
	}
	return 0, fmt.Errorf("there is no free range of %d ports between %d and %d on 127.0.0.1: stop some servers and try again", portRange, lowest, highest)
}

// reserve keeps a range for a region also while it does not run: one that is made meanwhile must not choose the same. It fails when the
// range is another region's that still exists, or that is being made at this moment. The notes are in the user's runtime
// directory, which a reboot may empty: every start writes its own again.
func reserve(reservations string, base int, dataDir string) bool {
	note := filepath.Join(reservations, fmt.Sprintf("%d.ports", base))
	if info, err := os.Stat(note); err == nil {
		holder, _ := os.ReadFile(note)
		marker, err := client.ReadMarker(string(holder))
		if string(holder) != dataDir && (err == nil && marker.PortBase == base || time.Since(info.ModTime()) < time.Minute) {
			return false
		}
		os.Remove(note)
	}
	file, err := os.OpenFile(note, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return false
	}
	defer file.Close()
	_, err = file.WriteString(dataDir)
	return err == nil
}

// taken returns the first port in use, or 0.
func taken(base, count int) int {
	for port := base; port < base+count; port++ {
		listener, err := net.Listen("tcp", loopback(port))
		if err != nil {
			return port
		}
		listener.Close()
	}
	return 0
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// listenAWS takes the AWS endpoint's port.
func listenAWS(port int) (net.Listener, error) {
	listener, err := net.Listen("tcp", loopback(port))
	if err == nil {
		return listener, nil
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		hint := ""
		if port == 4566 {
			hint = " (LocalStack's port too)"
		}
		return nil, fmt.Errorf("port %d%s is taken on 127.0.0.1: stop the program that has it, or choose another with --port (0 picks one)", port, hint)
	}
	return nil, fmt.Errorf("cannot listen on port %d of 127.0.0.1: %w", port, err)
}
