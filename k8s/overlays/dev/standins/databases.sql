-- One database per part; enrollment and capture share the vault.
CREATE DATABASE enrollment;
CREATE DATABASE consent;
CREATE DATABASE capture;
CREATE DATABASE vault;
CREATE DATABASE anchoring;
