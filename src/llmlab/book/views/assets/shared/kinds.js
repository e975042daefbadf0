// What builds the widget of each kind of view: a script in kinds/ adds itself here by its name.

const KINDS = {};
