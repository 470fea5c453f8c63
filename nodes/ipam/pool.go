package ipam

import (
	"maps"
	"net/netip"
	"slices"
	"time"
)

// pool is a node's.
type pool struct {
	cluster             string            // its id
	labels, annotations map[string]string // of the Node: they name its ENIConfig
	maxPods             int               // that its kubelet takes
	wake                func(pods []string)
	interfaces          []Interface
	known               bool // interfaces is what there is
	listed              bool
	// byPod are the addresses that pods have, by their UIDs, and used the same by address.
	byPod map[string]netip.Addr
	used  map[netip.Addr]bool
	// cooling are those that rest, until when.
	cooling map[netip.Addr]time.Time
	// waiting are the pods that found no address, by their UIDs with their names. stuck says that the host could not have more:
	// until something changes they are told so.
	waiting map[string]string
	stuck   bool

	// retiring are addresses that the host is giving back: no pod gets them.
	retiring map[netip.Addr]bool

	shrunk, paused time.Time
	// told are addresses that pods have of no interface, which the host has been told of.
	told map[netip.Addr]bool
}

func newPool() *pool {
	return &pool{byPod: map[string]netip.Addr{}, used: map[netip.Addr]bool{}, cooling: map[netip.Addr]time.Time{},
		waiting: map[string]string{}, retiring: map[netip.Addr]bool{}, told: map[netip.Addr]bool{}}
}

// take is a free address that has rested.
func (p *pool) take(settings Settings, now time.Time) (netip.Addr, bool) {
	free := func(a netip.Addr) bool { return !p.used[a] && !p.retiring[a] && !p.cooling[a].After(now) }
	for _, i := range p.interfaces {
		if i.Idle || settings.Custom && i.Primary {
			continue
		}
		for _, a := range i.Addresses {
			if free(a) {
				return a, true
			}
		}
		for _, block := range i.Prefixes {
			for a := block.Addr(); block.Contains(a); a = a.Next() {
				if free(a) {
					return a, true
				}
			}
		}
	}
	return netip.Addr{}, false
}

func (p *pool) give(uid string, a netip.Addr) {
	if old, had := p.byPod[uid]; had {
		delete(p.used, old)
	}
	p.byPod[uid], p.used[a] = a, true
	delete(p.waiting, uid)
	delete(p.cooling, a)
}

// release gives a pod's address back: it rests.
func (p *pool) release(uid string, until, now time.Time) (freed bool) {
	a, had := p.byPod[uid]
	_, waited := p.waiting[uid]
	delete(p.waiting, uid)
	if had {
		delete(p.byPod, uid)
		delete(p.used, a)
		p.cooling[a] = until
	}
	for old, at := range p.cooling {
		if !at.After(now) {
			delete(p.cooling, old)
		}
	}
	return had || waited
}

// woken are the pods that wait, with their names; they ask again.
func (p *pool) woken() []string { return slices.Collect(maps.Values(p.waiting)) }

// strangers are the addresses that pods have of none of the interfaces, which nobody has been told of.
func (p *pool) strangers() (all []netip.Addr) {
	for a := range p.used {
		if !p.told[a] && !slices.ContainsFunc(p.interfaces, func(i Interface) bool { return i.Has(a) }) {
			all = append(all, a)
		}
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return all
}

// config is the name of the node's ENIConfig.
func (p *pool) config(s Settings) string {
	for _, name := range []string{p.annotations[s.ConfigAnnotation], p.labels[s.ConfigLabel]} {
		if name != "" {
			return name
		}
	}
	return "default"
}
