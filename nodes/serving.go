package nodes

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// certificate gives the kubelets' server a certificate that names all nodes of now: a new one once others are there.
func (s *Simulator) certificate() func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	var mu sync.Mutex
	var made *tls.Certificate
	var names []netip.Addr
	return func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		z := s.current()
		if z == nil || s.conf.ServingCert == nil {
			return nil, errors.New("the zone's nodes do not run")
		}
		mu.Lock()
		defer mu.Unlock()
		now := z.roster.addresses()
		slices.SortFunc(now, netip.Addr.Compare)
		if made == nil || !slices.Equal(now, names) {
			cert, err := s.conf.ServingCert(now)
			if err != nil {
				return nil, err
			}
			made, names = &cert, now
			if leaf, err := x509.ParseCertificate(cert.Certificate[0]); err == nil {
				s.serving.Store(&leaf.NotAfter)
			}
		}
		return made, nil
	}
}

// expires is when the kubelets' certificate of now does.
func (s *Simulator) expires() (at time.Time, known bool) {
	if at := s.serving.Load(); at != nil {
		return *at, true
	}
	return time.Time{}, false
}
