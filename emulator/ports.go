package emulator

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"tripod/az/plan"
	"tripod/internal/datadir"
	"tripod/internal/pki"
	"tripod/internal/ports"
)

// A region's ports stand in one contiguous range. Its first ten are the zones'; each cluster has ten. What the zones
// have left over, and what is left at the end, are the clusters' private endpoints.
const (
	portRange     = 128
	raftOffset    = 0
	gatewayOffset = 3
	privateOffset = 6
	clusterOffset = 10
	// mostClusters leaves the range's last port, which may be the AWS endpoint's.
	mostClusters = (portRange - 1 - clusterOffset) / plan.PortsPerCluster
)

// privatePort is the port of the private endpoint of the cluster with that public one.
func privatePort(base, endpoint int) int {
	slot := (endpoint - base - clusterOffset) / plan.PortsPerCluster
	if among := clusterOffset - privateOffset; slot >= among {
		return base + clusterOffset + mostClusters*plan.PortsPerCluster + slot - among
	}
	return base + privateOffset + slot
}

// settlePorts decides the region's ports, for good when it is new, and takes the AWS endpoint's.
func (s *site) settlePorts(ctx context.Context) (net.Listener, error) {
	m := &s.dir.marker
	if s.dir.isNew {
		return s.foundMarker()
	}
	o := s.options
	switch {
	case o.PortSet && o.Port != 0 && o.Port != m.Port:
		return nil, fmt.Errorf("the region in %s has port %d, which its tokens and trust policies hold: start it without "+
			"--port, or make another region with --data-dir", s.dir.path, m.Port)
	case o.Region != m.Region:
		return nil, fmt.Errorf("the region in %s is %s: start it with --region %s, or make another with --data-dir",
			s.dir.path, m.Region, m.Region)
	}
	if other := twin(ctx, filepath.Dir(s.runDir), m.PortBase, s.dir.path); other != "" {
		return nil, fmt.Errorf("the region in %s runs and has the same ports as the one in %s, since a snapshot of one "+
			"was restored as the other: only one of them can run, so stop that one first with 'tripod --data-dir %s down'",
			other, s.dir.path, other)
	}
	// it is ours, whatever the note says; without one, it still is
	pki.Write(rangeNote(filepath.Dir(s.runDir), m.PortBase), []byte(s.dir.path))
	if port := taken(m.PortBase, clusterOffset+10); port != 0 {
		return nil, fmt.Errorf("port %d of 127.0.0.1, one of the range %d to %d that this region keeps, is taken: stop "+
			"the program that has it and try again", port, m.PortBase, m.PortBase+portRange-1)
	}
	return listenAWS(m.Port)
}

// choosePortBase finds a free range. It stays below the range that systems take clients' ports from (32768 on Linux),
// since a port of it could be anybody's at the next start.
func choosePortBase(reservations, dataDir string) (int, error) {
	const lowest, highest = 20000, 32000
	for range 200 {
		base := lowest + portRange*rand.IntN((highest-lowest)/portRange)
		if taken(base, portRange) == 0 && reserve(reservations, base, dataDir) {
			return base, nil
		}
	}
	return 0, fmt.Errorf("there is no free range of %d ports between %d and %d on 127.0.0.1: stop some servers and try "+
		"again", portRange, lowest, highest)
}

// twin is the data directory of a region that runs and has the same range: one of the two was restored from a snapshot
// of the other. "" when there is none.
func twin(ctx context.Context, reservations string, base int, dataDir string) string {
	holder, err := os.ReadFile(rangeNote(reservations, base))
	if err != nil || string(holder) == dataDir {
		return ""
	}
	if marker, err := datadir.ReadMarker(string(holder)); err != nil || marker.PortBase != base {
		return ""
	}
	asking, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := datadir.Dial(asking, string(holder))
	if errors.Is(err, datadir.ErrNotRunning) {
		return ""
	}
	if err == nil {
		conn.Close()
	}
	return string(holder)
}

// ownPorts are all the ports that are the region's, or may become so.
func (s *site) ownPorts() ports.Ranges {
	m := s.dir.marker
	own := ports.Ranges{{First: m.Port, Last: m.Port}, {First: m.PortBase, Last: m.PortBase + portRange - 1}}
	for _, text := range []string{s.options.MetricsAddress, s.options.ControlAddress} {
		if address, err := netip.ParseAddrPort(text); err == nil && address.Port() != 0 {
			own = append(own, ports.Range{First: int(address.Port()), Last: int(address.Port())})
		}
	}
	if port := s.dir.metricsPort(); port != 0 {
		own = append(own, ports.Range{First: port, Last: port})
	}
	return own
}

func rangeNote(reservations string, base int) string {
	return filepath.Join(reservations, fmt.Sprintf("%d.ports", base))
}

// reserve keeps a range for a region also while it does not run: one that is made meanwhile must not choose the same.
// It fails when the range is another region's that still exists, or that is being made at this moment. The notes are in
// the user's runtime directory, which a reboot may empty: every start writes its own again.
func reserve(reservations string, base int, dataDir string) bool {
	note := rangeNote(reservations, base)
	if info, err := os.Stat(note); err == nil {
		holder, _ := os.ReadFile(note)
		marker, err := datadir.ReadMarker(string(holder))
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
		return nil, fmt.Errorf("port %d%s is taken on 127.0.0.1: stop the program that has it, or choose another with "+
			"--port (0 picks one)", port, hint)
	}
	return nil, fmt.Errorf("cannot listen on port %d of 127.0.0.1: %w", port, err)
}
