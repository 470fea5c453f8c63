package kubeproxy

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/client-go/tools/cache"
)

// ClusterDomain is what the names of a cluster's Services end in.
const ClusterDomain = "cluster.local"

// NoNameError is why a name has no address.
type NoNameError struct{ Name, Why string }

func (e *NoNameError) Error() string { return fmt.Sprintf("%s has no address: %s", e.Name, e.Why) }

// Record is what the cluster's DNS has for a name.
type Record struct {
	Name      string   // all of it: web.default.svc.cluster.local
	Aliases   []string // what Services of the type ExternalName stand for, one after the other
	Addresses []netip.Addr
}

// Lookup are the addresses that the cluster's DNS has for a name: see Record.
func (p *Proxy) Lookup(ctx context.Context, name, namespace string) ([]netip.Addr, error) {
	record, err := p.Record(ctx, name, namespace)
	return record.Addresses, err
}

// mostAliases are followed, one after the other.
const mostAliases = 8

// Record is what the cluster's DNS has for a name, as CoreDNS answers a pod of a namespace: SERVICE,
// SERVICE.NAMESPACE, with .svc or .svc.cluster.local behind, POD.SERVICE[.NAMESPACE[.svc]] for pods of a headless one,
// by their hostnames or their addresses with dashes, and 10-0-1-2.NAMESPACE.pod. The error is a *NoNameError where there is no such name.
func (p *Proxy) Record(ctx context.Context, name, namespace string) (record Record, err error) {
	asked := name
	for range mostAliases {
		whole, alias, addresses, err := p.lookup(ctx, asked, namespace)
		if asked == name {
			record.Name = whole
		}
		if alias == "" || err != nil {
			record.Addresses = addresses
			return record, err
		}
		asked = alias
		record.Aliases = append(record.Aliases, alias)
	}
	return record, &NoNameError{name, "it stands for a name that stands for another one, and so on"}
}

// lookup is one step of Record: the whole name, and what it stands for or its addresses.
func (p *Proxy) lookup(ctx context.Context, name, namespace string) (whole, alias string, found []netip.Addr, err error) {
	short := strings.TrimSuffix(strings.ToLower(strings.TrimSuffix(name, ".")), "."+ClusterDomain)
	if address, ok := strings.CutSuffix(short, ".pod"); ok {
		dashed, _, _ := strings.Cut(address, ".")
		at, err := netip.ParseAddr(strings.ReplaceAll(dashed, "-", "."))
		if err != nil {
			return "", "", nil, &NoNameError{name, "names of pods are those of their addresses, such as 10-0-1-2.default.pod"}
		}
		return short + "." + ClusterDomain, "", []netip.Addr{at}, nil
	}
	parts := strings.Split(strings.TrimSuffix(short, ".svc"), ".")
	host := ""
	switch len(parts) {
	case 1:
		parts = append(parts, namespace)
	case 2:
	case 3:
		host, parts = parts[0], parts[1:]
	default:
		return "", "", nil, &NoNameError{name, "it is no name of the cluster's"}
	}
	services, all, err := p.known(ctx)
	if err != nil {
		return "", "", nil, err
	}
	obj, there, _ := services.GetByKey(parts[1] + "/" + parts[0])
	if inner, is, _ := services.GetByKey(namespace + "/" + parts[1]); !there && is && host == "" && !strings.Contains(name, ".svc") {
		obj, there, host = inner, true, parts[0] // POD.SERVICE, by the search list of a pod's namespace
	}
	if !there {
		return "", "", nil, &NoNameError{name, fmt.Sprintf("there is no Service %s in namespace %s", parts[0], parts[1])}
	}
	s := obj.(*corev1.Service)
	whole = s.Name + "." + s.Namespace + ".svc." + ClusterDomain
	if host != "" {
		whole = host + "." + whole
	}
	if to := strings.TrimSuffix(s.Spec.ExternalName, "."); s.Spec.Type == corev1.ServiceTypeExternalName &&
		strings.HasSuffix(to, ".svc."+ClusterDomain) && host == "" {
		return whole, to, nil, nil
	}
	found, err = addressesOf(s, all, name, host)
	return whole, "", found, err
}

// addressesOf are a Service's own address, or where it has none those of its endpoints; host is one of these, or empty.
func addressesOf(s *corev1.Service, all cache.Indexer, name, host string) (found []netip.Addr, err error) {
	switch {
	case s.Spec.Type == corev1.ServiceTypeExternalName:
		return nil, &NoNameError{name, fmt.Sprintf("Service %s/%s stands for %s, which is outside of the cluster", s.Namespace, s.Name,
			s.Spec.ExternalName)}
	case s.Spec.ClusterIP != corev1.ClusterIPNone && host == "":
		at, err := netip.ParseAddr(s.Spec.ClusterIP)
		if err != nil {
			return nil, &NoNameError{name, "its Service has no address yet"}
		}
		return []netip.Addr{at}, nil
	}
	for _, slice := range slicesOf(all, s) {
		for _, e := range slice.Endpoints {
			if !isNamed(e, host) || !isReady(e) && !s.Spec.PublishNotReadyAddresses || len(e.Addresses) == 0 {
				continue
			}
			if at, err := netip.ParseAddr(e.Addresses[0]); err == nil && !slices.Contains(found, at) {
				found = append(found, at)
			}
		}
	}
	if len(found) == 0 {
		return nil, &NoNameError{name, fmt.Sprintf("Service %s/%s has no ready endpoints", s.Namespace, s.Name)}
	}
	return found, nil
}

func isNamed(e discoveryv1.Endpoint, host string) bool {
	return host == "" || e.Hostname != nil && *e.Hostname == host ||
		len(e.Addresses) > 0 && strings.ReplaceAll(e.Addresses[0], ".", "-") == host
}
