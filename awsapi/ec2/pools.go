package ec2

import (
	"cmp"
	"math"
	"slices"

	"tripod/internal/instancetypes"
	"tripod/state"
)

// Pool is what a zone has of an instance type: fleets and Auto Scaling groups choose among pools.
type Pool struct {
	Type, Zone string
	// Weight is how much one of its instances counts; 0: 1. Prices are compared by it.
	Weight float64
	// Priority orders pools where a strategy asks for it: the lowest is first.
	Priority float64
}

// rankedPool is a pool's place with all that strategies compare.
type rankedPool struct {
	place           int
	price, priority float64
	room            int
}

// PoolOrder is the order, by the places of pools, in which an allocation strategy tries them: as a fleet or an Auto Scaling
// group spells it. Those that are alike stay in their order.
func (s *Service) PoolOrder(tx *state.Txn, pools []Pool, strategy string, spot bool) (order []int) {
	ranked := make([]rankedPool, len(pools))
	for i, p := range pools {
		ranked[i] = rankedPool{i, hourlyPrice(p, spot), p.Priority, s.room(tx, p.Zone, p.Type)}
	}
	slices.SortStableFunc(ranked, strategyOf(strategy))
	for _, p := range ranked {
		order = append(order, p.place)
	}
	return order
}

// hourlyPrice is what an hour of a pool costs for what it counts.
func hourlyPrice(p Pool, spot bool) float64 {
	t, found := instancetypes.Find(p.Type)
	switch {
	case !found:
		return math.MaxFloat64
	case spot:
		return t.SpotPrice(p.Zone) / cmp.Or(p.Weight, 1)
	}
	return t.Price / cmp.Or(p.Weight, 1)
}

// strategyOf compares pools as a strategy does.
func strategyOf(name string) func(a, b rankedPool) int {
	price := func(a, b rankedPool) int { return cmp.Compare(a.price, b.price) }
	priority := func(a, b rankedPool) int { return cmp.Compare(a.priority, b.priority) }
	room := func(a, b rankedPool) int { return cmp.Compare(b.room, a.room) }
	switch name {
	case "prioritized":
		return priority
	case "capacity-optimized", "capacityOptimized":
		return room
	case "capacity-optimized-prioritized", "capacityOptimizedPrioritized": // capacity counts first, and priorities where it is alike
		return func(a, b rankedPool) int { return cmp.Or(room(a, b), priority(a, b)) }
	case "price-capacity-optimized", "priceCapacityOptimized": // the cheapest of those that have room
		return func(a, b rankedPool) int { return cmp.Or(cmp.Compare(min(b.room, 1), min(a.room, 1)), price(a, b)) }
	case "diversified":
		return func(a, b rankedPool) int { return 0 }
	}
	return price
}
