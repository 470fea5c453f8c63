package elb

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

// classicListener is a listener of a classic load balancer in the API's form.
type classicListener struct {
	Protocol         string
	LoadBalancerPort int
	InstanceProtocol string
	InstancePort     int
	CertificateID    string `query:"SSLCertificateId" xml:"SSLCertificateId,omitempty" json:"SSLCertificateId,omitempty"`
}

func showClassicListener(l region.ClassicListener) classicListener {
	return classicListener{l.Protocol, l.Port, l.InstanceProtocol, l.InstancePort, l.Certificate}
}

func sameClassicListener(a, b region.ClassicListener) bool {
	return showClassicListener(a) == showClassicListener(b)
}

// classicProtocols are those of listeners, and of the connections to instances that go with each.
var classicProtocols = map[string][]string{
	"HTTP": {"HTTP", "HTTPS"}, "HTTPS": {"HTTP", "HTTPS"}, "TCP": {"TCP", "SSL"}, "SSL": {"TCP", "SSL"},
}

// maxClassicListeners is how many listeners a classic load balancer has: AWS's default quota.
const maxClassicListeners = 100

// addClassicListener adds a listener. One that is there already is no error.
func (s *Service) addClassicListener(tx *state.Txn, b *region.LoadBalancer, given classicListener) error {
	l := region.ClassicListener{Protocol: strings.ToUpper(given.Protocol), Port: given.LoadBalancerPort,
		InstancePort: given.InstancePort, Certificate: given.CertificateID}
	with, known := classicProtocols[l.Protocol]
	if !known {
		return refuse("UnsupportedProtocol", "Listener protocol '%s' must be one of HTTP, HTTPS, TCP or SSL", wire.Clip(given.Protocol))
	}
	l.InstanceProtocol = strings.ToUpper(cmp.Or(given.InstanceProtocol, with[0]))
	encrypted := l.Protocol == "HTTPS" || l.Protocol == "SSL"
	switch {
	case !slices.Contains(with, l.InstanceProtocol):
		return invalid("Instance protocol '%s' is not compatible with the listener protocol '%s'", wire.Clip(given.InstanceProtocol),
			l.Protocol)
	case l.Port < 1 || l.Port > 65535:
		return invalid("LoadBalancerPort must be between 1 and 65535")
	case encrypted && l.Certificate == "":
		return invalid("SSLCertificateId must be specified for %s listeners", l.Protocol)
	case !encrypted && l.Certificate != "":
		return invalid("SSLCertificateId can be specified only for HTTPS and SSL listeners")
	}
	if encrypted {
		if err := checkCertificate(tx, l.Certificate, s.now()); err != nil {
			return noCertificate(l.Certificate)
		}
		l.Policies = []string{defaultSSLPolicy}
		if !slices.ContainsFunc(b.Classic.Policies, func(p region.ClassicPolicy) bool { return p.Name == defaultSSLPolicy }) {
			b.Classic.Policies = append(b.Classic.Policies, region.ClassicPolicy{Name: defaultSSLPolicy, Type: sslPolicyType,
				Attributes: []region.PolicyAttribute{{Name: "Reference-Security-Policy", Value: defaultSSLPolicy}}})
		}
	}
	at := slices.IndexFunc(b.Classic.Listeners, func(other region.ClassicListener) bool { return other.Port == l.Port })
	switch {
	case at >= 0 && sameClassicListener(b.Classic.Listeners[at], l):
		return nil
	case at >= 0:
		return refuse("DuplicateListener", "A listener already exists for %s with LoadBalancerPort %d, but with a different "+
			"InstancePort, Protocol, or SSLCertificateId", b.Name, l.Port)
	case len(b.Classic.Listeners) >= maxClassicListeners:
		return refuse("TooManyListeners", "The quota for the number of listeners has been reached: %d", maxClassicListeners)
	}
	b.Classic.Listeners = append(b.Classic.Listeners, l)
	return nil
}

func noCertificate(arn string) error {
	return refuse("CertificateNotFound", "Server Certificate not found for the key: %s", wire.Clip(arn))
}

type classicListenersInput struct {
	classicNamed
	Listeners []classicListener
}

func (s *Service) createClassicListeners(call *operation.Call, in *classicListenersInput) (*none, error) {
	if len(in.Listeners) == 0 {
		return nil, invalid("Listeners cannot be empty")
	}
	return editClassic(s, call, in.LoadBalancerName, func(tx *state.Txn, b *region.LoadBalancer, _ *none) error {
		for _, l := range in.Listeners {
			if err := s.addClassicListener(tx, b, l); err != nil {
				return err
			}
		}
		return nil
	})
}

type classicPortsInput struct {
	classicNamed
	LoadBalancerPorts []int
}

func (s *Service) deleteClassicListeners(call *operation.Call, in *classicPortsInput) (*none, error) {
	return editClassic(s, call, in.LoadBalancerName, func(_ *state.Txn, b *region.LoadBalancer, _ *none) error {
		b.Classic.Listeners = slices.DeleteFunc(b.Classic.Listeners,
			func(l region.ClassicListener) bool { return slices.Contains(in.LoadBalancerPorts, l.Port) })
		return nil
	})
}

// classicPort is where the listener of that port is among a load balancer's.
func classicPort(b *region.LoadBalancer, port int) (int, error) {
	at := slices.IndexFunc(b.Classic.Listeners, func(l region.ClassicListener) bool { return l.Port == port })
	if at < 0 {
		return at, refuse("ListenerNotFound", "There is no listener for port %d on load balancer %s", port, b.Name)
	}
	return at, nil
}

type setCertificateInput struct {
	classicNamed
	LoadBalancerPort int
	CertificateID    string `query:"SSLCertificateId"`
}

func (s *Service) setClassicCertificate(call *operation.Call, in *setCertificateInput) (*none, error) {
	return editClassic(s, call, in.LoadBalancerName, func(tx *state.Txn, b *region.LoadBalancer, _ *none) error {
		at, err := classicPort(b, in.LoadBalancerPort)
		if err != nil {
			return err
		}
		l := &b.Classic.Listeners[at]
		if l.Protocol != "HTTPS" && l.Protocol != "SSL" {
			return unsuitable("The listener for port %d has the protocol %s, which has no certificate", l.Port, l.Protocol)
		}
		if checkCertificate(tx, in.CertificateID, s.now()) != nil {
			return noCertificate(in.CertificateID)
		}
		l.Certificate = in.CertificateID
		return nil
	})
}

type configureHealthCheckInput struct {
	classicNamed
	HealthCheck healthCheck
}

type healthCheckOutput struct{ HealthCheck healthCheck }

func (s *Service) configureHealthCheck(call *operation.Call, in *configureHealthCheckInput) (*healthCheckOutput, error) {
	check, err := in.HealthCheck.record()
	if err != nil {
		return nil, err
	}
	return editClassic(s, call, in.LoadBalancerName, func(_ *state.Txn, b *region.LoadBalancer, out *healthCheckOutput) error {
		b.Classic.Check, out.HealthCheck = check, in.HealthCheck
		return nil
	})
}

// record reads a health check, whose target is PROTOCOL:PORT, and with HTTP and HTTPS PROTOCOL:PORT/PATH.
func (h healthCheck) record() (region.HealthCheck, error) {
	c := region.HealthCheck{Enabled: true, Interval: h.Interval, Timeout: h.Timeout, Healthy: h.HealthyThreshold,
		Unhealthy: h.UnhealthyThreshold}
	protocol, rest, _ := strings.Cut(h.Target, ":")
	c.Protocol = strings.ToUpper(protocol)
	port, path, hasPath := strings.Cut(rest, "/")
	number, err := strconv.Atoi(port)
	if !slices.Contains([]string{"HTTP", "HTTPS", "TCP", "SSL"}, c.Protocol) {
		return c, invalid("HealthCheck Target must begin with one of HTTP, TCP, HTTPS, SSL")
	}
	wantsPath := strings.HasPrefix(c.Protocol, "HTTP")
	switch {
	case wantsPath && (err != nil || !hasPath):
		return c, invalid("HealthCheck HTTP Target must specify a port followed by a path that begins with a slash. e.g. "+
			"%s:80/ping/this/path", c.Protocol)
	case !wantsPath && (err != nil || hasPath):
		return c, invalid("HealthCheck %s Target must specify a port. e.g. %s:80", c.Protocol, c.Protocol)
	case number < 1 || number > 65535:
		return c, invalid("HealthCheck Target must have a port between 1 and 65535")
	case len(path) > 1024:
		return c, invalid("HealthCheck Target path must not be longer than 1024 characters")
	case h.Timeout >= h.Interval:
		return c, invalid("HealthCheck timeout must be less than interval. Timeout: %d, Interval: %d", h.Timeout, h.Interval)
	}
	c.Port = port
	if wantsPath {
		c.Path, c.Codes = "/"+path, "200"
	}
	return c, nil
}

// classicCheckTarget is a health check's target as the classic API writes it.
func classicCheckTarget(c region.HealthCheck) string {
	return fmt.Sprintf("%s:%s%s", c.Protocol, c.Port, c.Path)
}
